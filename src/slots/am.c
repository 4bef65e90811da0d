/*
 * am.c
 *		The table access method idemstore_slots: the heap's, but for whatever
 *		writes, and for what reads (scan.c).
 *
 * Rows are frozen from the start and carry no transaction id, so that there is
 * nothing for VACUUM to do but to count and to say so.
 * INSERT places a row by its hash, which lets ALTER TABLE rewrite the table;
 * like every change to it, it cannot be rolled back.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/multixact.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "pg/clock.h"
#include "pg/compat.h"
#include "slots/am.h"
#include "slots/fill.h"
#include "slots/meta.h"
#include "slots/scan.h"

static TableAmRoutine routine;

static void build_routine(void);
static void set_new_file(Relation rel, const IdemRelFile *file, char persistence,
						 TransactionId *frozen_xid, MultiXactId *min_multi);
static void require_our_schema(Relation rel);
static void require_columns(TupleDesc desc);
static void require_no_triggers(Relation rel);
static void nontransactional_truncate(Relation rel);
static idem_compat_copy_for_cluster_callback(copy_for_cluster);
static void vacuum_table(Relation rel, IdemVacuumParams *params,
						 BufferAccessStrategy strategy);
static bool needs_toast_table(Relation rel);
static void insert(Relation rel, TupleTableSlot *slot, CommandId cid, IdemInsertOptions options,
				   BulkInsertState bistate);
static void multi_insert(Relation rel, TupleTableSlot **rows, int nrows,
						 CommandId cid, IdemInsertOptions options, BulkInsertState bistate);
static void insert_speculative(Relation rel, TupleTableSlot *slot, CommandId cid,
							   IdemInsertOptions options, BulkInsertState bistate, uint32 token);
static void complete_speculative(Relation rel, TupleTableSlot *slot, uint32 token,
								 bool succeeded);
static idem_compat_delete_callback(delete);
static idem_compat_update_callback(update);
static TM_Result lock(Relation rel, ItemPointer tid, Snapshot snapshot,
					  TupleTableSlot *slot, CommandId cid, LockTupleMode mode,
					  LockWaitPolicy policy, uint8 flags, TM_FailureData *failure);
static double build_index(Relation rel, Relation index, IndexInfo *info,
						  bool allow_sync, bool any_visible, bool progress,
						  BlockNumber start, BlockNumber nblocks,
						  IndexBuildCallback callback, void *state,
						  TableScanDesc scan);
static void validate_index(Relation rel, Relation index, IndexInfo *info,
						   Snapshot snapshot, struct ValidateIndexState *state);
pg_noreturn static void refuse(Relation rel, const char *what, const char *hint);

const TableAmRoutine *
idem_slots_am_routine(void)
{
	if (routine.type != T_TableAmRoutine)
		build_routine();
	return &routine;
}

static void
build_routine(void)
{
	routine = *GetHeapamTableAmRoutine();
	idem_slots_scan_set_callbacks(&routine);
	idem_compat_set_new_file_callback(&routine) = set_new_file;
	routine.relation_nontransactional_truncate = nontransactional_truncate;
	routine.relation_copy_for_cluster = copy_for_cluster;
	routine.relation_vacuum = vacuum_table;
	routine.relation_needs_toast_table = needs_toast_table;
	routine.tuple_insert = insert;
	routine.multi_insert = multi_insert;
	routine.tuple_insert_speculative = insert_speculative;
	routine.tuple_complete_speculative = complete_speculative;
	routine.tuple_delete = delete;
	routine.tuple_update = update;
	routine.tuple_lock = lock;
	routine.index_build_range_scan = build_index;
	routine.index_validate_scan = validate_index;
}

static void
set_new_file(Relation rel, const IdemRelFile *file, char persistence,
			 TransactionId *frozen_xid, MultiXactId *min_multi)
{
	require_our_schema(rel);
	require_columns(RelationGetDescr(rel));
	idem_compat_set_new_file_callback(GetHeapamTableAmRoutine()) (rel, file, persistence,
																  frozen_xid, min_multi);
}

/* whoever may create tables there owns the extension */
static void
require_our_schema(Relation rel)
{
	const char *schema = get_namespace_name(RelationGetNamespace(rel));

	if (schema == NULL || strcmp(schema, IDEM_SCHEMA) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("access method \"idemstore_slots\" is for tables of schema \"%s\" only",
						IDEM_SCHEMA),
				 errhint("Use the heap for tables of your own.")));
}

static void
require_columns(TupleDesc desc)
{
	static const Oid types[] = {TEXTOID, TIMESTAMPTZOID, BYTEAOID};
	int			i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (column->attisdropped ? i < 2 :
			(i >= lengthof(types) || column->atttypid != types[i] || !column->attnotnull))
			break;
	}
	if (desc->natts < 2 || i < desc->natts)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("access method \"idemstore_slots\" does not support these columns"),
				 errdetail("It keeps a key of type text, an instant of type timestamp with time zone, and perhaps a state of type bytea, all NOT NULL."),
				 errhint("Use the heap for tables of your own.")));
}

/* A trigger that fails could not undo the row. */
static void
require_no_triggers(Relation rel)
{
	if (rel->trigdesc != NULL &&
		(rel->trigdesc->trig_insert_after_row || rel->trigdesc->trig_insert_new_table))
		refuse(rel, "fire triggers on", NULL);
}

static void
nontransactional_truncate(Relation rel)
{
	GetHeapamTableAmRoutine()->relation_nontransactional_truncate(rel);
	idem_slots_meta_forget_map(rel);
}

static
idem_compat_copy_for_cluster_callback(copy_for_cluster)
{
	idem_slots_fill_rehash(old, new, idem_clock_now(), num_rows, removed);
	*recently_dead = 0;
}

/*
 * What was frozen is all there is, up to the oldest that anybody runs: not the
 * next transaction id, which a concurrent look at all tables would take for
 * damage.
 */
static void
vacuum_table(Relation rel, IdemVacuumParams *params, BufferAccessStrategy strategy)
{
	TimestampTz started_at = idem_clock_now();

	idem_compat_vacuum_done(rel, RelationGetNumberOfBlocks(rel),
							idem_slots_fill_count(rel),
							GetOldestNonRemovableTransactionId(rel),
							GetOldestMultiXactId(), started_at);
}

static bool
needs_toast_table(Relation rel)
{
	return false;
}

static void
insert(Relation rel, TupleTableSlot *slot, CommandId cid, IdemInsertOptions options,
	   BulkInsertState bistate)
{
	const text *key;
	bytea	   *state = NULL;

	require_columns(RelationGetDescr(rel));
	require_no_triggers(rel);
	slot_getallattrs(slot);
	if (slot->tts_isnull[0] || slot->tts_isnull[1])
		refuse(rel, "store NULL in", NULL);
	key = DatumGetTextPP(slot->tts_values[0]);
	if (slot->tts_tupleDescriptor->natts > 2 && !slot->tts_isnull[2])
		state = DatumGetByteaPP(slot->tts_values[2]);
	idem_slots_fill_insert(rel, key, DatumGetTimestampTz(slot->tts_values[1]),
						   state);
	ItemPointerSetInvalid(&slot->tts_tid);
	slot->tts_tableOid = RelationGetRelid(rel);
}

static void
multi_insert(Relation rel, TupleTableSlot **rows, int nrows, CommandId cid,
			 IdemInsertOptions options, BulkInsertState bistate)
{
	int			i;

	for (i = 0; i < nrows; i++)
		insert(rel, rows[i], cid, options, bistate);
}

static void
insert_speculative(Relation rel, TupleTableSlot *slot, CommandId cid, IdemInsertOptions options,
				   BulkInsertState bistate, uint32 token)
{
	refuse(rel, "INSERT ... ON CONFLICT into", NULL);
}

static void
complete_speculative(Relation rel, TupleTableSlot *slot, uint32 token, bool succeeded)
{
	refuse(rel, "INSERT ... ON CONFLICT into", NULL);
}

static
idem_compat_delete_callback(delete)
{
	refuse(rel, "DELETE from", "rate_limit_reset() and clear_cooldown() remove a row, TRUNCATE all of them.");
}

static
idem_compat_update_callback(update)
{
	refuse(rel, "UPDATE", NULL);
}

static TM_Result
lock(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot,
	 CommandId cid, LockTupleMode mode, LockWaitPolicy policy, uint8 flags,
	 TM_FailureData *failure)
{
	refuse(rel, "lock rows of", NULL);
}

static double
build_index(Relation rel, Relation index, IndexInfo *info, bool allow_sync,
			bool any_visible, bool progress, BlockNumber start, BlockNumber nblocks,
			IndexBuildCallback callback, void *state, TableScanDesc scan)
{
	refuse(rel, "create an index on", "Drop the invalid index if one is left behind.");
}

static void
validate_index(Relation rel, Relation index, IndexInfo *info, Snapshot snapshot,
			   struct ValidateIndexState *state)
{
	refuse(rel, "create an index on", "Drop the invalid index if one is left behind.");
}

static void
refuse(Relation rel, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot %s table \"%s\"", what, RelationGetRelationName(rel)),
			 errdetail("Its rows are changed in place, by the functions of idemstore only."),
			 hint != NULL ? errhint("%s", hint) : 0));
}
