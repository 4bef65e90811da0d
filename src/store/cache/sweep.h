/*
 * sweep.h
 *		Going through the rows up to a bound, a batch after the other.
 *
 * Rows are found by an index on a coarse column, in which those that were removed
 * stay until VACUUM.  So a sweep remembers how far its session has come, and the
 * next batch reads none of them again.
 */
#ifndef IDEM_STORE_CACHE_SWEEP_H
#define IDEM_STORE_CACHE_SWEEP_H

#include "store/table.h"

/* A sweep of one table, and how far it is; lives as long as its session. */
typedef struct IdemSweep
{
	int			column;			/* of the table, from 0 */
	Oid			type;			/* INT4OID or INT8OID */
	bool		is_begun;
	int64		bucket;			/* where it goes on: at this one, */
	ItemPointerData row;		/* behind this row of it */
} IdemSweep;

/* Deal with a row that is committed and that nobody is changing.  Is it removed? */
typedef bool (*IdemSweepVisitor) (IdemTable *table, TupleTableSlot *slot, void *arg);

/* The rows whose column is at most the bound, until max_rows of them are removed. */
typedef struct IdemSweepBatch
{
	IdemTable  *table;
	IdemSweep  *sweep;
	int64		bound;
	IdemSweepVisitor visit;
	void	   *arg;
	int64		max_rows;
	int64		nremoved;		/* less than that: the next sweep begins anew */
} IdemSweepBatch;

extern void idem_store_cache_sweep_rows(IdemSweepBatch *batch);

#endif							/* IDEM_STORE_CACHE_SWEEP_H */
