/*
 * check.c
 *		Is a table what the code expects?
 *
 * Direct access passes by what the executor would have honoured: triggers,
 * rules, row security, partitions.  SQL of our own would honour it, with the
 * rights of the extension's owner, whoever attached it.  So either is refused
 * where anything but our own is attached.
 *
 * The table of settings is read by direct access and written by SQL alone: what
 * is attached to it is in the way of writing only.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"

#include "pg/compat.h"
#include "slots/am.h"
#include "store/check.h"

#define UNDO_CHANGE \
	"If the library is newer than the extension, run ALTER EXTENSION idemstore UPDATE. Otherwise undo the change; indexes and storage parameters are free to change."

/* what is in the way; no what, nothing */
typedef struct Obstacle
{
	char	   *what;			/* a sentence */
	char	   *cure;
} Obstacle;

static void refuse(Relation rel, const Obstacle *obstacle);
static Obstacle find_obstacle(Relation rel, const IdemTableInfo *info);
static Obstacle find_attached(Relation rel);
static const Trigger *find_trigger(Relation rel);
static Obstacle describe_trigger(Relation rel, const Trigger *trigger);
static bool is_ours(Oid function);
static char *describe_rule(Relation rel);
static bool has_access_method(Relation rel, const IdemTableInfo *info);
static bool has_children(Relation rel);
static bool has_columns(Relation rel, const IdemTableInfo *info);
static bool is_column(Form_pg_attribute column, const IdemColumn *expected,
					  bool is_key);
static bool has_primary_key(Relation rel, const IdemTableInfo *info);

void
idem_store_check_table(Relation rel, const IdemTableInfo *info)
{
	Obstacle	obstacle = find_obstacle(rel, info);

	if (obstacle.what != NULL)
		refuse(rel, &obstacle);
}

bool
idem_store_check_is_fit(Relation rel, const IdemTableInfo *info)
{
	return find_obstacle(rel, info).what == NULL;
}

void
idem_store_check_for_sql(Oid relid)
{
	Relation	rel = relation_open(relid, NoLock);

	if (RelationGetNamespace(rel) == get_namespace_oid(IDEM_SCHEMA, true))
	{
		Obstacle	obstacle = find_attached(rel);

		if (obstacle.what != NULL)
			refuse(rel, &obstacle);
	}
	relation_close(rel, NoLock);
}

static void
refuse(Relation rel, const Obstacle *obstacle)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot use table \"%s.%s\" as it is now",
					IDEM_SCHEMA, RelationGetRelationName(rel)),
			 errdetail("%s", obstacle->what),
			 errhint("%s", obstacle->cure)));
}

static Obstacle
find_obstacle(Relation rel, const IdemTableInfo *info)
{
	Obstacle	obstacle = {0};

	if (info->kind != IDEM_TABLE_SETTINGS)
		obstacle = find_attached(rel);
	if (obstacle.what != NULL)
		return obstacle;

	obstacle.cure = UNDO_CHANGE;
	if (info->kind == IDEM_TABLE_SEQUENCE)
		obstacle.what = rel->rd_rel->relkind == RELKIND_SEQUENCE ? NULL :
			"The relation is not a sequence.";
	else if (rel->rd_rel->relkind != RELKIND_RELATION || !has_access_method(rel, info))
		obstacle.what = "The table is not an ordinary table of the access method that it was made with.";
	else if (rel->rd_rel->relispartition || has_children(rel))
		obstacle.what = "The table is part of a partition or inheritance tree.";
	else if (rel->rd_rel->relrowsecurity)
		obstacle.what = "The table has row security enabled.";
	else if (!has_columns(rel, info))
		obstacle.what = "The table has other columns than the extension made.";
	else if (info->kind != IDEM_TABLE_SLOTS && !has_primary_key(rel, info))
		obstacle.what = "The table has no primary key on the columns that the extension made it on.";
	return obstacle;
}

/* what would run with a statement, but for our own */
static Obstacle
find_attached(Relation rel)
{
	Obstacle	obstacle = {0};
	const Trigger *trigger = find_trigger(rel);

	if (trigger != NULL)
		return describe_trigger(rel, trigger);
	if (rel->rd_rules != NULL)
	{
		obstacle.what = describe_rule(rel);
		obstacle.cure = "Drop it.";
	}
	else if (rel->rd_rel->relrowsecurity)
	{
		obstacle.what = "The table has row security enabled.";
		obstacle.cure = psprintf("Run ALTER TABLE %s.%s DISABLE ROW LEVEL SECURITY.",
								 IDEM_SCHEMA, RelationGetRelationName(rel));
	}
	return obstacle;
}

/* one that is not ours and would fire */
static const Trigger *
find_trigger(Relation rel)
{
	int			i;

	for (i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (trigger->tgenabled != TRIGGER_DISABLED && !is_ours(trigger->tgfoid))
			return trigger;
	}
	return NULL;
}

static bool
is_ours(Oid function)
{
	return get_func_namespace(function) == get_namespace_oid(IDEM_SCHEMA, true);
}

/* What put it there, where that is known, says how to be rid of it. */
static Obstacle
describe_trigger(Relation rel, const Trigger *trigger)
{
	const char *table = RelationGetRelationName(rel);
	char	   *function = get_func_name(trigger->tgfoid);
	Obstacle	obstacle;

	obstacle.what = psprintf("The table has the trigger \"%s\".", trigger->tgname);
	if (trigger->tgisinternal && OidIsValid(trigger->tgconstrrelid))
	{
		obstacle.what = psprintf("The table is part of the foreign key \"%s\".",
								 get_constraint_name(trigger->tgconstraint));
		obstacle.cure = "Drop the constraint.";
	}
	else if (strcmp(trigger->tgname, "repack_trigger") == 0)
		obstacle.cure = psprintf("pg_repack has made it: pass --exclude-extension=idemstore. If it is not at work any more: DROP TRIGGER repack_trigger ON %s.%s.",
								 IDEM_SCHEMA, table);
	else if (function != NULL && strncmp(function, "citus_", strlen("citus_")) == 0)
		obstacle.cure = psprintf("Citus has made it, and may keep the rows elsewhere: SELECT undistribute_table('%s.%s').",
								 IDEM_SCHEMA, table);
	else
		obstacle.cure = "Drop it, or disable it.";
	return obstacle;
}

static char *
describe_rule(Relation rel)
{
	ObjectAddress rule;

	ObjectAddressSet(rule, RewriteRelationId, rel->rd_rules->rules[0]->ruleId);
	return psprintf("There is a %s.", getObjectDescription(&rule, false));
}

static bool
has_access_method(Relation rel, const IdemTableInfo *info)
{
	return rel->rd_tableam == (info->kind == IDEM_TABLE_SLOTS ?
							   idem_slots_am_routine() : GetHeapamTableAmRoutine());
}

/* relhassubclass stays set after the last child is gone */
static bool
has_children(Relation rel)
{
	return rel->rd_rel->relhassubclass &&
		find_inheritance_children(RelationGetRelid(rel), NoLock) != NIL;
}

static bool
has_columns(Relation rel, const IdemTableInfo *info)
{
	TupleDesc	desc = RelationGetDescr(rel);
	int			i;

	if (desc->natts < info->ncolumns)
		return false;
	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (i >= info->ncolumns ? !column->attisdropped :
			!is_column(column, &info->columns[i], i < info->nkeys))
			return false;
	}
	return true;
}

static bool
is_column(Form_pg_attribute column, const IdemColumn *expected, bool is_key)
{
	return !column->attisdropped && column->attgenerated == '\0' &&
		column->atttypid == expected->type &&
		strcmp(NameStr(column->attname), expected->name) == 0 &&
		(!is_key || column->attcollation == C_COLLATION_OID);
}

/* the key columns may stand in the index in any order, but nothing else may */
static bool
has_primary_key(Relation rel, const IdemTableInfo *info)
{
	Oid			oid = idem_compat_primary_key_index(rel);
	Relation	index;
	Bitmapset  *columns = NULL;
	int			i;

	if (!OidIsValid(oid))
		return false;
	index = index_open(oid, AccessShareLock);
	for (i = 0; i < index->rd_index->indnkeyatts; i++)
		columns = bms_add_member(columns, index->rd_index->indkey.values[i]);
	index_close(index, AccessShareLock);

	for (i = 1; i <= info->nkeys; i++)
	{
		if (!bms_is_member(i, columns))
			return false;
	}
	return bms_num_members(columns) == info->nkeys;
}
