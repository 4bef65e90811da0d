/*
 * marks.h
 *		The table cache_invalidations: which transaction last invalidated a name,
 *		and since when these marks are whole.
 *
 * A name is a letter for what it is the name of, and the name.
 */
#ifndef IDEM_STORE_CACHE_MARKS_H
#define IDEM_STORE_CACHE_MARKS_H

#include "access/transam.h"

#include "store/cache/sweep.h"

#define IDEM_MARK_OF_KEY	'k'
#define IDEM_MARK_OF_TAG	't'
#define IDEM_MARK_OF_PREFIX '*'

/* What stands under a name: of the committed or own version, and of an open one. */
typedef struct IdemMarked
{
	bool		is_there;
	FullTransactionId xid;
	bool		is_open;
	FullTransactionId open_xid;
} IdemMarked;

extern void idem_store_cache_marks_open(IdemTable *table, LOCKMODE lockmode);

/* The name is not compressed. */
extern text *idem_store_cache_marks_name(char kind, const text *name);

extern void idem_store_cache_marks_find(IdemTable *table, text *name, IdemMarked *marked);

/* Called with the mark of a prefix; false ends it. */
typedef bool (*IdemMarkVisitor) (const IdemMarked *marked, void *arg);

/* Visit the marks of all prefixes of the key, but those that nobody can see. */
extern void idem_store_cache_marks_visit_prefixes(IdemTable *table, const text *key,
												  IdemMarkVisitor visit, void *arg);

/* Set the mark, waiting for who is setting it. */
extern void idem_store_cache_marks_put(IdemTable *table, text *name, FullTransactionId xid);

/* Set the mark unless a later one stands there; false instead of a wait. */
extern bool idem_store_cache_marks_try_raise(IdemTable *table, text *name,
											 FullTransactionId xid);

/*
 * Remove marks of transactions before this one, at most max_rows; returns how
 * many.
 */
extern int64 idem_store_cache_marks_remove(IdemTable *table, FullTransactionId before,
										   int64 max_rows);

/*
 * The epoch: the transaction since which no mark is lost, in a crash or otherwise.
 * Is there one, and is it committed?
 */
extern bool idem_store_cache_marks_epoch(IdemTable *table, FullTransactionId *epoch);

/* Has this session seen one that was not lost since, as far as it has heard? */
extern bool idem_store_cache_marks_knows_epoch(void);

/* Begin one if there is none; one that others are beginning will do. */
extern void idem_store_cache_marks_begin_epoch(void);

#endif							/* IDEM_STORE_CACHE_MARKS_H */
