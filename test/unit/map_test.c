/*
 * map_test.c
 *		Buckets that are made one by one, and where they begin.
 */
#include "unit.h"

#include "slots/map.h"

#define MOST		5000

static Property is_in_range = {"a hash has a bucket that is there"};
static Property level_fits = {"by its level, a bucket has the hashes that are computed to be in it"};
static Property moves_to_new = {"a new bucket takes from its parent alone, and nobody else gives or gets"};
static Property is_new_in_order = {"each segment begins where the one before ends"};
static Property is_of_its_segment = {"a bucket is in the segment that has its number"};
static Property blocks_rise = {"buckets in the order of their numbers are in the order of blocks"};

static void grow(void);
static void one_hash(uint64 hash, uint32 nbuckets);
static void segments(void);
static void blocks(void);

int
main(void)
{
	grow();
	segments();
	blocks();
	report(&is_in_range);
	report(&level_fits);
	report(&moves_to_new);
	report(&is_new_in_order);
	report(&is_of_its_segment);
	report(&blocks_rise);
	return done_testing();
}

static void
grow(void)
{
	uint32		nbuckets;
	int64		i;

	start_round(1);
	for (nbuckets = IDEM_SLOTS_FIRST_BUCKETS; nbuckets < MOST; nbuckets++)
	{
		for (i = 0; i < rounds(50); i++)
			one_hash(random_bits(), nbuckets);
		one_hash(nbuckets, nbuckets);
		one_hash(PG_UINT64_MAX, nbuckets);
	}
	for (i = 0; i < rounds(1000); i++)
		one_hash(random_bits(), (uint32) between(MOST, 2000000));
}

static void
one_hash(uint64 hash, uint32 nbuckets)
{
	uint32		bucket = idem_slots_map_bucket(hash, nbuckets);
	uint32		next = idem_slots_map_bucket(hash, nbuckets + 1);
	int			level = idem_slots_map_level(bucket, nbuckets);

	next_step();
	HOLDS(&is_in_range, bucket < nbuckets);
	HOLDS(&level_fits, idem_slots_map_belongs(hash, bucket, level));
	HOLDS(&level_fits, !idem_slots_map_belongs(hash + 1, bucket, level));
	HOLDS(&moves_to_new, next == bucket ||
		  (next == nbuckets && bucket == idem_slots_map_parent(next)));
	HOLDS(&moves_to_new, next == bucket ? true :
		  idem_slots_map_level(bucket, nbuckets + 1) == level + 1 &&
		  idem_slots_map_level(next, nbuckets + 1) == level + 1);
}

static void
segments(void)
{
	static const uint32 sizes[] = {8, 8, 16, 32, 64, 128, 256, 512, 1024, 1024};
	uint32		begin = 0;
	uint32		i;

	for (i = 0; i < IDEM_SLOTS_MAX_SEGMENTS; i++)
	{
		uint32		size = idem_slots_map_segment_size(i);

		HOLDS(&is_new_in_order, idem_slots_map_segment_begin(i) == begin);
		HOLDS(&is_new_in_order, size == (i < lengthof(sizes) ? sizes[i] : 1024));
		HOLDS(&is_of_its_segment, idem_slots_map_segment(begin) == i);
		HOLDS(&is_of_its_segment, idem_slots_map_segment(begin + size - 1) == i);
		begin += size;
	}
}

/* with something else between segments */
static void
blocks(void)
{
	IdemSlotsMap *map = malloc(offsetof(IdemSlotsMap, segments) +
							   IDEM_SLOTS_MAX_SEGMENTS * sizeof(BlockNumber));
	BlockNumber last = 0;
	uint32		i;

	map->nsegments = IDEM_SLOTS_MAX_SEGMENTS;
	for (i = 0; i < map->nsegments; i++)
		map->segments[i] = 1 + idem_slots_map_segment_begin(i) + 10 * i;
	for (i = 0; i < 100000; i++)
	{
		BlockNumber block = idem_slots_map_block(map, i);

		HOLDS(&blocks_rise, block > last);
		last = block;
	}
	free(map);
}
