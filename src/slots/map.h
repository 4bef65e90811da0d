/*
 * map.h
 *		Which bucket a name belongs to, and where in the file it begins.
 *
 * Plain arithmetic.  Buckets are numbered from 0 and made one by one.  With k
 * bits for as many as there are, a name's bucket is the low k bits of its hash,
 * or k - 1 where that bucket is not there yet: the bucket made next takes its
 * names from one other, and from that one alone.
 *
 * Their first pages lie in segments of 8, 8, 16, 32 and so on to 1024 pages,
 * and then 1024 each.  Segments follow each other in the file, so that buckets
 * in the order of their numbers are in the order of their blocks.
 */
#ifndef IDEM_SLOTS_MAP_H
#define IDEM_SLOTS_MAP_H

#include "storage/block.h"

#define IDEM_SLOTS_FIRST_BUCKETS	8

/* as many as the meta page has room for: buckets of 16 GB */
#define IDEM_SLOTS_MAX_SEGMENTS		2000

/* What a session remembers of a table's meta page. */
typedef struct IdemSlotsMap
{
	uint64		key[2];
	uint32		nbuckets;
	uint32		nsegments;
	BlockNumber segments[FLEXIBLE_ARRAY_MEMBER];
} IdemSlotsMap;

extern uint32 idem_slots_map_bucket(uint64 hash, uint32 nbuckets);

/* how many bits of a hash decide, in a bucket among so many */
extern int	idem_slots_map_level(uint32 bucket, uint32 nbuckets);

/* Does a hash belong to a bucket whose level is known? */
extern bool idem_slots_map_belongs(uint64 hash, uint32 bucket, int level);

/* the bucket that gives up names when this one is made */
extern uint32 idem_slots_map_parent(uint32 bucket);

extern uint32 idem_slots_map_segment(uint32 bucket);
extern uint32 idem_slots_map_segment_begin(uint32 segment);
extern uint32 idem_slots_map_segment_size(uint32 segment);

/* the block of the bucket's first page; its segment must be there */
extern BlockNumber idem_slots_map_block(const IdemSlotsMap *map, uint32 bucket);

#endif							/* IDEM_SLOTS_MAP_H */
