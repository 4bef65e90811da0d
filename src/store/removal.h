/*
 * removal.h
 *		Removing many rows, which an index finds, at any isolation level.
 */
#ifndef IDEM_STORE_REMOVAL_H
#define IDEM_STORE_REMOVAL_H

#include "access/stratnum.h"

#include "store/tuple.h"

/*
 * Rows by the first column of a btree index; where there is no such index, the
 * whole table is read.
 */
typedef struct IdemRange
{
	int			column;			/* of the table, from 0 */
	StrategyNumber strategy;	/* of an operator of btree, and its function */
	RegProcedure compare;
	Datum		bound;
} IdemRange;

typedef enum IdemRangeVisit
{
	IDEM_RANGE_SKIP,
	IDEM_RANGE_TAKE,
	IDEM_RANGE_END				/* nor anything behind it in the index's order */
} IdemRangeVisit;

/* Is this row to go?  It must decide by itself whether it is in the range. */
typedef IdemRangeVisit (*IdemRangeVisitor) (TupleTableSlot *slot, void *arg);

/* called right after the removal of a row */
typedef void (*IdemRangeRemoved) (TupleTableSlot *slot, void *arg);

/*
 * Remove at most max_rows rows in the order of the index, but for those that
 * others have locked or are changing.  Never waits; what moves meanwhile may be
 * missed.  Returns how many.
 */
extern int64 idem_store_removal_some(IdemTable *table, const IdemRange *range,
									 IdemRangeVisitor visit, void *arg,
									 int64 max_rows);

/*
 * Remove all rows that are committed at this instant, or our own, waiting for
 * who has them.  What an open change leaves is removed, what is inserted after a
 * removal is not.
 */
extern void idem_store_removal_all(IdemTable *table, const IdemRange *range,
								   IdemRangeVisitor visit, IdemRangeRemoved removed,
								   void *arg);

#endif							/* IDEM_STORE_REMOVAL_H */
