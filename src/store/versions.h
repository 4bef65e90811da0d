/*
 * versions.h
 *		Finding the versions of a row by its key or by another index.
 */
#ifndef IDEM_STORE_VERSIONS_H
#define IDEM_STORE_VERSIONS_H

#include "datatype/timestamp.h"
#include "utils/snapshot.h"

#include "store/table.h"

/*
 * Fill base and pending with what is there of the key under a dirty snapshot.
 * Finding nothing proves nothing: a committing update can hide the row.  Sees
 * what this very command has written, too.
 */
extern void idem_store_versions_probe(IdemTable *table, const IdemKey *key);

/*
 * Fill base with the version that lies there, if it is committed or our own and
 * nobody is changing it.  Is it?
 */
extern bool idem_store_versions_at(IdemTable *table, const ItemPointerData * row);

/* As probe, but when there is no base, that is certain.  Is there one? */
extern bool idem_store_versions_find(IdemTable *table, const IdemKey *key);

/*
 * Fill base with the version that the snapshot sees.  Is there one?  What this
 * transaction wrote to a row that has changed since its snapshot counts.
 */
extern bool idem_store_versions_fetch(IdemTable *table, const IdemKey *key,
									  Snapshot snapshot);

extern bool idem_store_versions_has_base(const IdemTable *table);
extern bool idem_store_versions_has_pending(const IdemTable *table);

/* did this very transaction write the base? */
extern bool idem_store_versions_base_is_own(const IdemTable *table);

typedef enum IdemVisit
{
	IDEM_VISIT_NEXT,
	IDEM_VISIT_STOP				/* this is the match */
} IdemVisit;

/* May be asked about a row more than once. */
typedef IdemVisit (*IdemVisitor) (TupleTableSlot *slot, void *arg);

/*
 * Rows by the equality of the leading columns of an index, all of them text, and
 * by an instant behind them: later ones alone, and the latest first, if the index
 * has that column.
 */
typedef struct IdemSearch
{
	Oid			index;
	int			nkeys;
	const Datum *keys;
	const TimestampTz *later_than;	/* NULL: any */
} IdemSearch;

/* Fill match with the row that the visitor chooses among those.  Is there one? */
extern bool idem_store_versions_match(IdemTable *table, const IdemSearch *search,
									  Snapshot snapshot, IdemVisitor visit,
									  void *arg);

/*
 * As match, over what is committed, our own, or another open transaction's;
 * when there is none, that is certain.
 */
extern bool idem_store_versions_match_any(IdemTable *table, const IdemSearch *search,
										  IdemVisitor visit, void *arg);

/* Show every version of the key, dead and uncommitted ones as well. */
extern void idem_store_versions_visit(IdemTable *table, const IdemKey *key,
									  IdemVisitor visit, void *arg);

#endif							/* IDEM_STORE_VERSIONS_H */
