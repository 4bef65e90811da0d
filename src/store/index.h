/*
 * index.h
 *		Finding a table's index by what it is for.
 */
#ifndef IDEM_STORE_INDEX_H
#define IDEM_STORE_INDEX_H

#include "utils/relcache.h"

/*
 * A valid index that begins with this column of the table, from 0, in ascending
 * order, has every row where it is not NULL, and serves the operator; NULL when
 * there is none, since indexes are free to change.  Close it with index_close and
 * AccessShareLock.
 */
extern Relation idem_store_index_open(Relation rel, int column, Oid operator);

#endif							/* IDEM_STORE_INDEX_H */
