/*
 * map.c
 *		Which bucket a name belongs to, and where in the file it begins.
 */
#include "postgres.h"

#include "port/pg_bitutils.h"

#include "slots/map.h"

/* the largest segment, the first of that size, and the bucket it begins with */
#define LARGE_BITS			10
#define LARGE_SEGMENT		8

static uint32 low_bits(uint64 hash, int n);

uint32
idem_slots_map_bucket(uint64 hash, uint32 nbuckets)
{
	int			bits = pg_leftmost_one_pos32(nbuckets);
	uint32		bucket = low_bits(hash, bits + 1);

	return bucket < nbuckets ? bucket : low_bits(hash, bits);
}

static uint32
low_bits(uint64 hash, int n)
{
	return (uint32) hash & (uint32) ((UINT64CONST(1) << n) - 1);
}

int
idem_slots_map_level(uint32 bucket, uint32 nbuckets)
{
	int			bits = pg_leftmost_one_pos32(nbuckets);
	uint32		half = (uint32) 1 << bits;

	return bucket >= half || bucket < nbuckets - half ? bits + 1 : bits;
}

bool
idem_slots_map_belongs(uint64 hash, uint32 bucket, int level)
{
	return low_bits(hash, level) == bucket;
}

uint32
idem_slots_map_parent(uint32 bucket)
{
	return bucket - ((uint32) 1 << pg_leftmost_one_pos32(bucket));
}

uint32
idem_slots_map_segment(uint32 bucket)
{
	if (bucket < IDEM_SLOTS_FIRST_BUCKETS)
		return 0;
	if (bucket < 1 << LARGE_BITS)
		return pg_leftmost_one_pos32(bucket) - 2;
	return LARGE_SEGMENT - 1 + (bucket >> LARGE_BITS);
}

uint32
idem_slots_map_segment_begin(uint32 segment)
{
	if (segment == 0)
		return 0;
	if (segment < LARGE_SEGMENT)
		return 4 << segment;
	return (segment - LARGE_SEGMENT + 1) << LARGE_BITS;
}

uint32
idem_slots_map_segment_size(uint32 segment)
{
	return idem_slots_map_segment_begin(segment + 1) -
		idem_slots_map_segment_begin(segment);
}

BlockNumber
idem_slots_map_block(const IdemSlotsMap *map, uint32 bucket)
{
	uint32		segment = idem_slots_map_segment(bucket);

	Assert(segment < map->nsegments);
	return map->segments[segment] + bucket - idem_slots_map_segment_begin(segment);
}
