/*
 * table.c
 *		Opening idemstore's tables for direct access, and the checks that the
 *		executor would otherwise have made.
 *
 * Only a table's OID is kept, and only until the next relcache invalidation of
 * it: DROP EXTENSION and CREATE EXTENSION in one session must work.  The
 * primary key's index always comes from the relcache.  Whatever changes what a
 * table is (triggers, rules, columns, indexes) also invalidates it, so the
 * checks run once per invalidation and not once per call.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/relation.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/lmgr.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "pg/compat.h"
#include "slots/am.h"
#include "store/table.h"

static IdemTableInfo *known_tables = NULL;

static void forget_table(Datum arg, Oid relid);
static void remember(IdemTableInfo *info);
static Relation open_by_name(IdemTableInfo *info, LOCKMODE lockmode);
static Relation lock_relation(Oid oid, LOCKMODE lockmode);
static Relation open_locked(Oid oid, LOCKMODE lockmode);
static Oid	find_table(const char *name);
static Oid	lookup_table(const char *name);
static void check_once(Relation rel, IdemTableInfo *info, bool for_writes);
static void check_table(Relation rel, const IdemTableInfo *info);
static const char *find_obstacle(Relation rel, const IdemTableInfo *info);
static bool has_access_method(Relation rel, const IdemTableInfo *info);
static bool has_children(Relation rel);
static bool has_firing_triggers(Relation rel);
static bool has_columns(Relation rel, const IdemTableInfo *info);
static bool is_column(Form_pg_attribute column, const IdemColumn *expected,
					  bool is_key);
static bool has_primary_key(Relation rel, const IdemTableInfo *info);
static void drop_slot(TupleTableSlot *slot);

void
idem_store_table_init(void)
{
	CacheRegisterRelcacheCallback(forget_table, (Datum) 0);
}

/* relid is invalid when everything is to be forgotten */
static void
forget_table(Datum arg, Oid relid)
{
	IdemTableInfo *info;

	for (info = known_tables; info != NULL; info = info->next)
	{
		if (relid == InvalidOid || relid == info->oid)
		{
			info->oid = InvalidOid;
			info->is_checked = false;
			info->is_checked_for_writes = false;
			info->other_index = InvalidOid;
			info->is_loaded = false;
		}
	}
}

void
idem_store_table_open(IdemTable *table, IdemTableInfo *info, LOCKMODE lockmode)
{
	memset(table, 0, sizeof(IdemTable));
	table->info = info;
	table->lockmode = lockmode;
	table->context = CurrentMemoryContext;
	table->rel = idem_store_table_open_relation(info, lockmode);
	table->pkey = index_open(idem_compat_primary_key_index(table->rel), lockmode);
}

Relation
idem_store_table_open_relation(IdemTableInfo *info, LOCKMODE lockmode)
{
	Relation	rel;

	remember(info);
	rel = open_by_name(info, lockmode);
	if (!RelationIsPermanent(rel) && RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot access unlogged table \"%s.%s\" during recovery",
						IDEM_SCHEMA, info->name),
				 errhint("ALTER TABLE ... SET LOGGED on the primary makes it readable here.")));
	check_once(rel, info, lockmode >= RowExclusiveLock);
	return rel;
}

static void
remember(IdemTableInfo *info)
{
	if (info->is_known)
		return;
	info->next = known_tables;
	known_tables = info;
	info->is_known = true;
}

Relation
idem_store_table_try_open_relation(IdemTableInfo *info, LOCKMODE lockmode)
{
	Oid			oid;
	Relation	rel;

	remember(info);
	if (!OidIsValid(info->oid))
		info->oid = find_table(info->name);
	oid = info->oid;
	if (!OidIsValid(oid) || !ConditionalLockRelationOid(oid, lockmode))
		return NULL;
	rel = open_locked(oid, lockmode);
	if (rel == NULL)
		return NULL;
	if ((info->oid == oid || find_table(info->name) == oid) &&
		find_obstacle(rel, info) == NULL &&
		(RelationIsPermanent(rel) || !RecoveryInProgress()))
	{
		info->oid = oid;
		return rel;
	}
	relation_close(rel, lockmode);
	return NULL;
}

bool
idem_store_table_is_readable(IdemTableInfo *info)
{
	return !RecoveryInProgress() ||
		get_rel_persistence(lookup_table(info->name)) == RELPERSISTENCE_PERMANENT;
}

/*
 * Taking the lock lets invalidations in.  When one of them is for this table,
 * the OID may name another table by now, so look again.
 */
static Relation
open_by_name(IdemTableInfo *info, LOCKMODE lockmode)
{
	for (;;)
	{
		Oid			oid = info->oid;
		Relation	rel;

		CHECK_FOR_INTERRUPTS();
		if (!OidIsValid(oid))
			oid = info->oid = lookup_table(info->name);

		rel = lock_relation(oid, lockmode);
		if (rel != NULL && (info->oid == oid || lookup_table(info->name) == oid))
		{
			info->oid = oid;
			return rel;
		}
		if (rel != NULL)
			relation_close(rel, lockmode);
		info->oid = InvalidOid;
	}
}

/* NULL when there is none */
static Relation
lock_relation(Oid oid, LOCKMODE lockmode)
{
	LockRelationOid(oid, lockmode);
	return open_locked(oid, lockmode);
}

/*
 * NULL, and the lock is released, when there is none.  With the lock every
 * invalidation is in, so the relation cache knows, and need not be told to
 * look into the catalog.
 */
static Relation
open_locked(Oid oid, LOCKMODE lockmode)
{
	Relation	rel = RelationIdGetRelation(oid);

	if (rel == NULL)
		UnlockRelationOid(oid, lockmode);
	else
		pgstat_init_relation(rel);
	return rel;
}

static Oid
find_table(const char *name)
{
	Oid			schema = get_namespace_oid(IDEM_SCHEMA, true);

	return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
}

static Oid
lookup_table(const char *name)
{
	Oid			oid = find_table(name);

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s.%s\" does not exist", IDEM_SCHEMA, name),
				 errhint("Run CREATE EXTENSION idemstore in this database.")));
	return oid;
}

/* not remembered when an invalidation came in the middle of the check */
static void
check_once(Relation rel, IdemTableInfo *info, bool for_writes)
{
	if (!info->is_checked)
	{
		check_table(rel, info);
		info->is_checked = OidIsValid(info->oid);
	}
	if (for_writes && info->kind == IDEM_TABLE_RECORDS &&
		!info->is_checked_for_writes)
	{
		CheckCmdReplicaIdentity(rel, CMD_UPDATE);
		CheckCmdReplicaIdentity(rel, CMD_DELETE);
		info->is_checked_for_writes = OidIsValid(info->oid);
	}
}

static void
check_table(Relation rel, const IdemTableInfo *info)
{
	const char *obstacle = find_obstacle(rel, info);

	if (obstacle != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot use table \"%s.%s\" as it is now",
						IDEM_SCHEMA, info->name),
				 errdetail("The table %s.", obstacle),
				 errhint("If the library is newer than the extension, run ALTER EXTENSION idemstore UPDATE. Otherwise undo the change; indexes and storage parameters are free to change.")));
}

/* what the executor would have honoured and direct access does not */
static const char *
find_obstacle(Relation rel, const IdemTableInfo *info)
{
	if (rel->rd_rel->relkind != RELKIND_RELATION || !has_access_method(rel, info))
		return "is not an ordinary table of the access method that it was made with";
	if (rel->rd_rel->relispartition || has_children(rel))
		return "is part of a partition or inheritance tree";
	if (info->kind != IDEM_TABLE_SETTINGS && has_firing_triggers(rel))
		return "has triggers or is referenced by a foreign key";
	if (info->kind != IDEM_TABLE_SETTINGS && rel->rd_rules != NULL)
		return "has rules";
	if (rel->rd_rel->relrowsecurity)
		return "has row security enabled";
	if (!has_columns(rel, info))
		return "has other columns than the extension made";
	if (info->kind != IDEM_TABLE_SLOTS && !has_primary_key(rel, info))
		return "has no primary key on the columns that the extension made it on";
	return NULL;
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
has_firing_triggers(Relation rel)
{
	int			i;

	for (i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (trigger->tgenabled != TRIGGER_DISABLED &&
			(TRIGGER_FOR_INSERT(trigger->tgtype) ||
			 TRIGGER_FOR_UPDATE(trigger->tgtype) ||
			 TRIGGER_FOR_DELETE(trigger->tgtype)))
			return true;
	}
	return false;
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

TupleTableSlot *
idem_store_table_scan_slot(IdemTable *table)
{
	if (table->scan == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(table->context);

		table->scan = table_slot_create(table->rel, NULL);
		MemoryContextSwitchTo(caller);
	}
	return table->scan;
}

void
idem_store_table_close(IdemTable *table)
{
	drop_slot(table->base.slot);
	drop_slot(table->pending.slot);
	drop_slot(table->match.slot);
	drop_slot(table->scan);
	drop_slot(table->new_row);
	if (table->estate != NULL)
	{
		ExecCloseIndices(table->result_rel);
		FreeExecutorState(table->estate);
	}
	index_close(table->pkey, table->lockmode);
	relation_close(table->rel, table->is_written ? NoLock : table->lockmode);
}

static void
drop_slot(TupleTableSlot *slot)
{
	if (slot != NULL)
		ExecDropSingleTupleTableSlot(slot);
}
