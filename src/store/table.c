/*
 * table.c
 *		Opening idemstore's tables for direct access.
 *
 * Only a table's OID is kept, and only until the next relcache invalidation of
 * it: DROP EXTENSION and CREATE EXTENSION in one session must work.  The
 * primary key's index always comes from the relcache.  Whatever changes what a
 * table is (triggers, rules, columns, indexes) also invalidates it, so the
 * checks run once per invalidation and not once per call.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
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

/* tries at a lock that is not to be waited for, and the pauses between them */
#define LOCK_TRIES		20
#define LOCK_PAUSE_US	5000L

static IdemTableInfo *known_tables = NULL;

static void forget_table(Datum arg, Oid relid);
static void remember(IdemTableInfo *info);
static Relation open_by_name(IdemTableInfo *info, LOCKMODE lockmode);
static Relation lock_relation(Oid oid, LOCKMODE lockmode);
static Relation open_locked(Oid oid, LOCKMODE lockmode);
static bool try_lock(Oid oid, LOCKMODE lockmode);
static void lock_indexes(Oid oid, LOCKMODE lockmode);
static void raise_locked(const char *name);
static Oid	find_table(const char *name);
static Oid	lookup_table(const char *name);
static void check_once(Relation rel, IdemTableInfo *info, bool for_writes);
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
		idem_store_check_is_fit(rel, info) &&
		(RelationIsPermanent(rel) || !RecoveryInProgress()))
	{
		info->oid = oid;
		return rel;
	}
	relation_close(rel, lockmode);
	return NULL;
}

Oid
idem_store_table_lock_now(const char *name, LOCKMODE lockmode)
{
	Oid			oid = lookup_table(name);

	if (!try_lock(oid, lockmode))
		raise_locked(name);
	lock_indexes(oid, lockmode);
	idem_store_check_for_sql(oid);
	return oid;
}

/* Most locks are held for a moment only. */
static bool
try_lock(Oid oid, LOCKMODE lockmode)
{
	int			tries;

	for (tries = 0; !ConditionalLockRelationOid(oid, lockmode); tries++)
	{
		if (tries == LOCK_TRIES)
			return false;
		CHECK_FOR_INTERRUPTS();
		pg_usleep(LOCK_PAUSE_US);
	}
	return true;
}

/* Some statements lock an index alone, and the planner locks all. */
static void
lock_indexes(Oid oid, LOCKMODE lockmode)
{
	Relation	rel = RelationIdGetRelation(oid);
	ListCell   *cell;

	if (rel == NULL)
		return;
	foreach(cell, RelationGetIndexList(rel))
	{
		if (!try_lock(lfirst_oid(cell), lockmode))
			raise_locked(get_rel_name(lfirst_oid(cell)));
	}
	RelationClose(rel);
}

static void
raise_locked(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("could not obtain lock on relation \"%s.%s\"", IDEM_SCHEMA, name)));
}

bool
idem_store_table_is_there(IdemTableInfo *info)
{
	remember(info);
	return OidIsValid(info->oid) || OidIsValid(find_table(info->name));
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
		idem_store_check_table(rel, info);
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
