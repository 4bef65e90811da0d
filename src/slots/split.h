/*
 * split.h
 *		One bucket more.
 */
#ifndef IDEM_SLOTS_SPLIT_H
#define IDEM_SLOTS_SPLIT_H

#include "utils/relcache.h"

/*
 * Split the buckets whose turn it is, so many of them, unless somebody else is
 * at it.  No content lock may be held.  Where it fails, for want of space for
 * example, the table is as it was and serves on.
 */
extern void idem_slots_split(Relation rel, int n);

#endif							/* IDEM_SLOTS_SPLIT_H */
