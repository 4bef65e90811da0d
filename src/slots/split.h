/*
 * split.h
 *		One bucket more.
 */
#ifndef IDEM_SLOTS_SPLIT_H
#define IDEM_SLOTS_SPLIT_H

#include "utils/relcache.h"

/*
 * Split the bucket whose turn it is, for a row that was added to a chain of so
 * many pages: two in a long chain, none when somebody else is at it, but in a
 * very long one.  No content lock may be held.  Where it fails, for want of
 * space for example, the table is as it was and serves on.
 */
extern void idem_slots_split(Relation rel, int chain_length);

#endif							/* IDEM_SLOTS_SPLIT_H */
