/*
 * compat.h
 *		Every difference between PostgreSQL versions, in one place.
 *
 * The rest of the code is written for one PostgreSQL and calls idem_compat_*
 * where versions differ; no other file tests PG_VERSION_NUM.
 */
#ifndef IDEM_PG_COMPAT_H
#define IDEM_PG_COMPAT_H

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/tableam.h"
#include "commands/vacuum.h"
#include "executor/executor.h"
#include "nodes/tidbitmap.h"
#include "pgstat.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"
#if PG_VERSION_NUM < 170000
#include "storage/backendid.h"
#include "storage/sinvaladt.h"
#endif

#if PG_VERSION_NUM < 180000
#define pg_noreturn		pg_attribute_noreturn()
#endif
#if PG_VERSION_NUM < 190000
#define pg_fallthrough	__attribute__((fallthrough))
#endif

/* what an update left to do for the indexes */
#if PG_VERSION_NUM >= 160000
typedef TU_UpdateIndexes IdemIndexUpdate;
#define idem_compat_index_update_is_needed(u)	((u) != TU_None)
#else
typedef bool IdemIndexUpdate;
#define idem_compat_index_update_is_needed(u)	(u)
#endif

static inline List *
idem_compat_update_index_tuples(ResultRelInfo *rri, TupleTableSlot *slot,
								EState *estate, IdemIndexUpdate update)
{
#if PG_VERSION_NUM >= 190000
	return ExecInsertIndexTuples(rri, estate,
								 EIIT_IS_UPDATE | (update == TU_Summarizing ? EIIT_ONLY_SUMMARIZING : 0),
								 slot, NIL, NULL);
#elif PG_VERSION_NUM >= 160000
	return ExecInsertIndexTuples(rri, slot, estate, true, false, NULL, NIL,
								 update == TU_Summarizing);
#else
	return ExecInsertIndexTuples(rri, slot, estate, true, false, NULL, NIL);
#endif
}

/* the index entries of a speculative insertion, arbiter decides on conflict */
static inline List *
idem_compat_insert_index_tuples(ResultRelInfo *rri, TupleTableSlot *slot,
								EState *estate, bool *conflict, List *arbiter)
{
#if PG_VERSION_NUM >= 190000
	return ExecInsertIndexTuples(rri, estate, EIIT_NO_DUPE_ERROR, slot, arbiter,
								 conflict);
#elif PG_VERSION_NUM >= 160000
	return ExecInsertIndexTuples(rri, slot, estate, false, true, conflict,
								 arbiter, false);
#else
	return ExecInsertIndexTuples(rri, slot, estate, false, true, conflict,
								 arbiter);
#endif
}

static inline IndexScanDesc
idem_compat_index_beginscan(Relation rel, Relation index, Snapshot snapshot,
							int nkeys)
{
#if PG_VERSION_NUM >= 190000
	return index_beginscan(rel, index, snapshot, NULL, nkeys, 0, SO_NONE);
#elif PG_VERSION_NUM >= 180000
	return index_beginscan(rel, index, snapshot, NULL, nkeys, 0);
#else
	return index_beginscan(rel, index, snapshot, nkeys, 0);
#endif
}

static inline TableScanDesc
idem_compat_table_beginscan(Relation rel, Snapshot snapshot)
{
#if PG_VERSION_NUM >= 190000
	return table_beginscan(rel, snapshot, 0, NULL, SO_NONE);
#else
	return table_beginscan(rel, snapshot, 0, NULL);
#endif
}

static inline TM_Result
idem_compat_table_tuple_update(Relation rel, ItemPointer tid, TupleTableSlot *slot,
							   CommandId cid, bool wait, TM_FailureData *failure,
							   LockTupleMode *mode, IdemIndexUpdate *update)
{
#if PG_VERSION_NUM >= 190000
	return table_tuple_update(rel, tid, slot, cid, 0, GetActiveSnapshot(),
							  InvalidSnapshot, wait, failure, mode, update);
#else
	return table_tuple_update(rel, tid, slot, cid, GetActiveSnapshot(),
							  InvalidSnapshot, wait, failure, mode, update);
#endif
}

static inline TM_Result
idem_compat_table_tuple_delete(Relation rel, ItemPointer tid, CommandId cid,
							   bool wait, TM_FailureData *failure)
{
#if PG_VERSION_NUM >= 190000
	return table_tuple_delete(rel, tid, cid, 0, GetActiveSnapshot(),
							  InvalidSnapshot, wait, failure);
#else
	return table_tuple_delete(rel, tid, cid, GetActiveSnapshot(),
							  InvalidSnapshot, wait, failure, false);
#endif
}

static inline IndexScanDesc
idem_compat_index_beginscan_bitmap(Relation index, Snapshot snapshot, int nkeys)
{
#if PG_VERSION_NUM >= 180000
	return index_beginscan_bitmap(index, snapshot, NULL, nkeys);
#else
	return index_beginscan_bitmap(index, snapshot, nkeys);
#endif
}

static inline IndexFetchTableData *
idem_compat_index_fetch_begin(Relation rel)
{
#if PG_VERSION_NUM >= 190000
	return table_index_fetch_begin(rel, SO_NONE);
#else
	return table_index_fetch_begin(rel);
#endif
}

/* going through a bitmap, a page at a time */
#if PG_VERSION_NUM >= 180000
typedef TBMPrivateIterator IdemBitmapScan;
#define idem_compat_bitmap_begin(bitmap)	tbm_begin_private_iterate(bitmap)
#define idem_compat_bitmap_end(scan)		tbm_end_private_iterate(scan)
#else
typedef TBMIterator IdemBitmapScan;
#define idem_compat_bitmap_begin(bitmap)	tbm_begin_iterate(bitmap)
#define idem_compat_bitmap_end(scan)		tbm_end_iterate(scan)
#endif

/* which rows of a page, at most as many as a page has: all when it is forgotten */
static inline bool
idem_compat_bitmap_next(IdemBitmapScan *scan, BlockNumber *page,
						OffsetNumber *rows, int *nrows)
{
	int			i;
#if PG_VERSION_NUM >= 180000
	TBMIterateResult result;

	if (!tbm_private_iterate(scan, &result))
		return false;
	*page = result.blockno;
	*nrows = result.lossy ? -1 : tbm_extract_page_tuple(&result, rows, MaxHeapTuplesPerPage);
#else
	TBMIterateResult *result = tbm_iterate(scan);

	if (result == NULL)
		return false;
	*page = result->blockno;
	*nrows = result->ntuples;
	for (i = 0; i < *nrows; i++)
		rows[i] = result->offsets[i];
#endif
	if (*nrows < 0)
	{
		*nrows = MaxHeapTuplesPerPage;
		for (i = 0; i < *nrows; i++)
			rows[i] = FirstOffsetNumber + i;
	}
	return true;
}

/* after the last of a tuple descriptor's columns was described */
static inline void
idem_compat_finish_descriptor(TupleDesc desc)
{
#if PG_VERSION_NUM >= 190000
	TupleDescFinalize(desc);
#endif
}

static inline Oid
idem_compat_primary_key_index(Relation rel)
{
#if PG_VERSION_NUM >= 180000
	return RelationGetPrimaryKeyIndex(rel, false);
#else
	return RelationGetPrimaryKeyIndex(rel);
#endif
}

/* the callback of a table access method that gives a table a new file */
#if PG_VERSION_NUM >= 160000
typedef RelFileLocator IdemRelFile;
#define idem_compat_rel_file(rel)	((rel)->rd_locator)
#define idem_compat_set_new_file_callback(routine) \
	((routine)->relation_set_new_filelocator)
#else
typedef RelFileNode IdemRelFile;
#define idem_compat_rel_file(rel)	((rel)->rd_node)
#define idem_compat_set_new_file_callback(routine) \
	((routine)->relation_set_new_filenode)
#endif

/* callbacks of a table access method that take other parameters */
#if PG_VERSION_NUM >= 190000
typedef uint32 IdemInsertOptions;
typedef const VacuumParams IdemVacuumParams;
#define idem_compat_delete_callback(name) \
	TM_Result	name(Relation rel, ItemPointer tid, CommandId cid, \
					 uint32 options, Snapshot snapshot, Snapshot crosscheck, \
					 bool wait, TM_FailureData *failure)
#define idem_compat_update_callback(name) \
	TM_Result	name(Relation rel, ItemPointer tid, TupleTableSlot *slot, \
					 CommandId cid, uint32 options, Snapshot snapshot, \
					 Snapshot crosscheck, bool wait, TM_FailureData *failure, \
					 LockTupleMode *mode, IdemIndexUpdate *indexes)
#define idem_compat_analyze_callback(name) \
	bool		name(TableScanDesc desc, double *live, double *dead, \
					 TupleTableSlot *slot)
#define idem_compat_analyze_next(routine) \
	((routine)->scan_analyze_next_tuple(desc, live, dead, slot))
#define idem_compat_copy_for_cluster_callback(name) \
	void		name(Relation old, Relation new, Relation index, bool use_sort, \
					 TransactionId oldest_xmin, Snapshot snapshot, \
					 TransactionId *xid_cutoff, MultiXactId *multi_cutoff, \
					 double *num_rows, double *removed, double *recently_dead)
#else
typedef int IdemInsertOptions;
typedef struct VacuumParams IdemVacuumParams;
#define idem_compat_delete_callback(name) \
	TM_Result	name(Relation rel, ItemPointer tid, CommandId cid, \
					 Snapshot snapshot, Snapshot crosscheck, bool wait, \
					 TM_FailureData *failure, bool is_moved)
#define idem_compat_update_callback(name) \
	TM_Result	name(Relation rel, ItemPointer tid, TupleTableSlot *slot, \
					 CommandId cid, Snapshot snapshot, Snapshot crosscheck, \
					 bool wait, TM_FailureData *failure, LockTupleMode *mode, \
					 IdemIndexUpdate *indexes)
#define idem_compat_analyze_callback(name) \
	bool		name(TableScanDesc desc, TransactionId oldest_xmin, double *live, \
					 double *dead, TupleTableSlot *slot)
#define idem_compat_analyze_next(routine) \
	((routine)->scan_analyze_next_tuple(desc, oldest_xmin, live, dead, slot))
#define idem_compat_copy_for_cluster_callback(name) \
	void		name(Relation old, Relation new, Relation index, bool use_sort, \
					 TransactionId oldest_xmin, TransactionId *xid_cutoff, \
					 MultiXactId *multi_cutoff, double *num_rows, \
					 double *removed, double *recently_dead)
#endif

/* what VACUUM tells the catalog and the statistics when it is through */
static inline void
idem_compat_vacuum_done(Relation rel, BlockNumber npages, double nrows,
						TransactionId frozen_xid, MultiXactId min_multi,
						TimestampTz started_at)
{
#if PG_VERSION_NUM >= 190000
	vac_update_relstats(rel, npages, nrows, 0, 0, false, frozen_xid, min_multi,
						NULL, NULL, false);
	pgstat_report_vacuum(rel, (PgStat_Counter) nrows, 0, started_at);
#elif PG_VERSION_NUM >= 180000
	vac_update_relstats(rel, npages, nrows, 0, 0, false, frozen_xid, min_multi,
						NULL, NULL, false);
	pgstat_report_vacuum(RelationGetRelid(rel), rel->rd_rel->relisshared,
						 (PgStat_Counter) nrows, 0, started_at);
#else
	vac_update_relstats(rel, npages, nrows, 0, false, frozen_xid, min_multi,
						NULL, NULL, false);
	pgstat_report_vacuum(RelationGetRelid(rel), rel->rd_rel->relisshared,
						 (PgStat_Counter) nrows, 0);
#endif
}

/* the process behind a lock holder, or NULL if it is gone or a prepared transaction */
static inline PGPROC *
idem_compat_lock_holder(VirtualTransactionId vxid)
{
#if PG_VERSION_NUM >= 170000
	if (vxid.procNumber == INVALID_PROC_NUMBER)
		return NULL;
	return GetPGProcByNumber(vxid.procNumber);
#else
	if (vxid.backendId == InvalidBackendId)
		return NULL;
	return BackendIdGetProc(vxid.backendId);
#endif
}

/* its localTransactionId is a transaction id, then */
static inline bool
idem_compat_is_prepared(VirtualTransactionId vxid)
{
#if PG_VERSION_NUM >= 170000
	return vxid.procNumber == INVALID_PROC_NUMBER;
#else
	return vxid.backendId == InvalidBackendId;
#endif
}

static inline int
idem_compat_proc_number(PGPROC *proc)
{
#if PG_VERSION_NUM >= 170000
	return GetNumberFromPGProc(proc);
#else
	return proc->pgprocno;
#endif
}

/* what pg_stat_activity shows for a session that sleeps on its latch */
static inline uint32
idem_compat_wait_event(void)
{
#if PG_VERSION_NUM >= 170000
	static uint32 wait_event = 0;

	if (wait_event == 0)
		wait_event = WaitEventExtensionNew("IdemstoreWait");
	return wait_event;
#else
	return PG_WAIT_EXTENSION;
#endif
}

static inline int
idem_compat_decode_datetime(char **field, int *ftype, int nfields, int *dtype,
							struct pg_tm *tm, fsec_t *fsec, int *tz)
{
#if PG_VERSION_NUM >= 160000
	DateTimeErrorExtra extra;

	return DecodeDateTime(field, ftype, nfields, dtype, tm, fsec, tz, &extra);
#else
	return DecodeDateTime(field, ftype, nfields, dtype, tm, fsec, tz);
#endif
}

/* memory for the "extra" of a setting, NULL when there is none */
#if PG_VERSION_NUM >= 160000
#define idem_compat_guc_malloc(size)	guc_malloc(LOG, size)
#define idem_compat_guc_free(ptr)		guc_free(ptr)
#else
#define idem_compat_guc_malloc(size)	malloc(size)
#define idem_compat_guc_free(ptr)		free(ptr)
#endif

/* only 17 and later have infinite intervals */
#if PG_VERSION_NUM >= 170000
#define idem_compat_interval_is_infinite(span)	INTERVAL_NOT_FINITE(span)
#else
#define idem_compat_interval_is_infinite(span)	false
#endif

#endif							/* IDEM_PG_COMPAT_H */
