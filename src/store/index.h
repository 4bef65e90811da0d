/*
 * index.h
 *		Finding a table's index by what it is for.
 */
#ifndef IDEM_STORE_INDEX_H
#define IDEM_STORE_INDEX_H

#include "utils/relcache.h"

/*
 * A valid index that begins with this column of the table, from 0, and has every
 * row where it is not NULL: a btree in its own ascending order, or a GIN that
 * serves the operator.  NULL when there is none, since indexes are free to
 * change.  Close it with index_close and AccessShareLock.
 */
extern Relation idem_store_index_open_ordered(Relation rel, int column);
extern Relation idem_store_index_open_inverted(Relation rel, int column, Oid operator);

#endif							/* IDEM_STORE_INDEX_H */
