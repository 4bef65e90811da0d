/*
 * trim.c
 *		Keeping the cache below idemstore.cache_max_size.
 *
 * A table below the bound is not read.  Of a larger one, a pass over it finds how
 * old an entry may be, and a second one removes what is older, a batch after the
 * other; what they found is in stats_counters, for whoever goes on.  There is no
 * other pass before the cache has grown: the file stays as long as it was, so it is
 * the file that has grown, or VACUUM has counted more rows.  So that not every new
 * entry is such a growth, what stays is somewhat below the bound.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "storage/bufmgr.h"

#include "engine/cache/ages.h"
#include "engine/cache/entry.h"
#include "engine/cache/trim.h"
#include "pg/guc.h"
#include "store/stats.h"
#include "store/survey.h"

/* what an entry takes beside its columns of variable length */
#define ENTRY_OVERHEAD	64

/* this part of the bound is room to grow into */
#define ROOM_PART		16

/* Expired entries count as written before all others. */
#define EXPIRED_OFFSET	(INT64CONST(1) << 62)

/* the second pass is through */
#define NO_BLOCK		PG_INT64_MAX

/* what the passes found, and how far the second one is */
enum
{
	PASS_CUT,					/* what is not newer goes, by its rank */
	PASS_BLOCK,					/* where to go on, or NO_BLOCK */
	PASS_STAYING,				/* bytes */
	PASS_STAYING_ROWS,
	PASS_LENGTH,				/* of the table, in bytes */
	PASS_COUNTED_ROWS,			/* by VACUUM or ANALYZE */
	PASS_FILE,					/* which one; TRUNCATE begins another */
	PASS_NUMBERS
};

static const char *const number_names[PASS_NUMBERS] = {
	[PASS_CUT] = "cache.trim.cut",
	[PASS_BLOCK] = "cache.trim.block",
	[PASS_STAYING] = "cache.trim.staying",
	[PASS_STAYING_ROWS] = "cache.trim.staying_rows",
	[PASS_LENGTH] = "cache.trim.length",
	[PASS_COUNTED_ROWS] = "cache.trim.counted_rows",
	[PASS_FILE] = "cache.trim.file",
};

typedef struct Trim
{
	IdemRetirement *retirement;
	TimestampTz now;
	int64		max_rows;
	int64		bound;			/* bytes */
	int64		numbers[PASS_NUMBERS];
	IdemAges   *ages;
	int64		nrows;			/* that were weighed */
	int64		nremoved;
} Trim;

static void work(Trim *trim, IdemTable *table);
static bool needs_pass(const Trim *trim, IdemTable *table);
static void find_cut(Trim *trim, IdemTable *table);
static bool weigh(IdemTable *table, TupleTableSlot *slot, bool is_open, void *arg);
static void remove_old(Trim *trim, IdemTable *table);
static bool remove_if_old(IdemTable *table, TupleTableSlot *slot, bool is_open, void *arg);
static int64 rank_of(const Trim *trim, const IdemEntry *entry);
static int64 size_of(const IdemEntry *entry);
static void note_size(Trim *trim, IdemTable *table);
static bool load(int64 *numbers);
static void save(const int64 *numbers);

int64
idem_cache_trim(IdemRetirement *retirement, TimestampTz now, int64 max_rows)
{
	Trim		trim = {
		.retirement = retirement,
		.now = now,
		.max_rows = max_rows,
		.bound = (int64) idem_guc_cache_max_size * 1024,
	};
	IdemTable	table;

	if (trim.bound == 0 || max_rows <= 0)
		return 0;
	idem_store_cache_open(&table, RowExclusiveLock);
	if (idem_store_cache_length(&table) > trim.bound && load(trim.numbers))
		work(&trim, &table);
	idem_store_table_close(&table);
	return trim.nremoved;
}

static void
work(Trim *trim, IdemTable *table)
{
	if (needs_pass(trim, table))
		find_cut(trim, table);
	else if (trim->numbers[PASS_BLOCK] == NO_BLOCK)
		return;
	if (trim->numbers[PASS_BLOCK] != NO_BLOCK)
		remove_old(trim, table);
	save(trim->numbers);
}

/* Not while the second pass is under way. */
static bool
needs_pass(const Trim *trim, IdemTable *table)
{
	const int64 *numbers = trim->numbers;
	int64		length = idem_store_cache_length(table);
	int64		nrows = (int64) table->rel->rd_rel->reltuples;
	double		estimate = numbers[PASS_STAYING];

	if (numbers[PASS_FILE] != table->rel->rd_rel->relfilenode || length < numbers[PASS_LENGTH])
		return true;
	if (numbers[PASS_BLOCK] != NO_BLOCK)
		return false;
	if (nrows != numbers[PASS_COUNTED_ROWS] && nrows > numbers[PASS_STAYING_ROWS])
		estimate *= (double) nrows / Max(numbers[PASS_STAYING_ROWS], 1);
	return Max(estimate, numbers[PASS_STAYING] + length - numbers[PASS_LENGTH]) > trim->bound;
}

static void
find_cut(Trim *trim, IdemTable *table)
{
	int64	   *numbers = trim->numbers;

	trim->ages = palloc0(sizeof(IdemAges));
	idem_store_survey_from(table, 0, weigh, trim);
	numbers[PASS_STAYING] = trim->ages->size;
	numbers[PASS_STAYING_ROWS] = trim->nrows;
	numbers[PASS_BLOCK] = NO_BLOCK;
	if (trim->ages->size > trim->bound)
	{
		numbers[PASS_CUT] = idem_cache_ages_cut(trim->ages, trim->bound - trim->bound / ROOM_PART,
												&numbers[PASS_STAYING]);
		numbers[PASS_BLOCK] = 0;
	}
	note_size(trim, table);
	pfree(trim->ages);
}

static bool
weigh(IdemTable *table, TupleTableSlot *slot, bool is_open, void *arg)
{
	Trim	   *trim = arg;
	IdemEntry	entry;

	if (is_open)
		return true;
	idem_store_cache_read(slot, &entry);
	idem_cache_ages_add(trim->ages, rank_of(trim, &entry), size_of(&entry));
	trim->nrows++;
	return true;
}

static int64
rank_of(const Trim *trim, const IdemEntry *entry)
{
	return idem_cache_entry_is_live(entry, trim->now) ? entry->written_at :
		entry->written_at - EXPIRED_OFFSET;
}

/* Of what is kept apart, the size there, which is known without reading it. */
static int64
size_of(const IdemEntry *entry)
{
	int64		size = ENTRY_OVERHEAD + VARSIZE_ANY_EXHDR(entry->key);

	size += toast_datum_size(PointerGetDatum(entry->value));
	if (entry->tags != NULL)
		size += toast_datum_size(PointerGetDatum(entry->tags));
	return size;
}

static void
remove_old(Trim *trim, IdemTable *table)
{
	BlockNumber first = (BlockNumber) trim->numbers[PASS_BLOCK];

	CommandCounterIncrement();
	trim->numbers[PASS_BLOCK] = NO_BLOCK;
	idem_store_survey_from(table, first, remove_if_old, trim);
	if (trim->numbers[PASS_BLOCK] == NO_BLOCK)
		note_size(trim, table);
}

static bool
remove_if_old(IdemTable *table, TupleTableSlot *slot, bool is_open, void *arg)
{
	Trim	   *trim = arg;
	IdemEntry	entry;

	if (is_open)
		return true;
	idem_store_cache_read(slot, &entry);
	if (rank_of(trim, &entry) > trim->numbers[PASS_CUT] ||
		!idem_cache_retire_entry(trim->retirement, table, &entry))
		return true;
	trim->nremoved++;
	trim->numbers[PASS_STAYING_ROWS]--;
	if (trim->nremoved < trim->max_rows)
		return true;
	trim->numbers[PASS_BLOCK] = ItemPointerGetBlockNumber(&entry.row);
	return false;
}

/* to compare with later */
static void
note_size(Trim *trim, IdemTable *table)
{
	trim->numbers[PASS_LENGTH] = idem_store_cache_length(table);
	trim->numbers[PASS_COUNTED_ROWS] = (int64) table->rel->rd_rel->reltuples;
	trim->numbers[PASS_FILE] = table->rel->rd_rel->relfilenode;
}

/* false instead of a wait for the lock on the table */
static bool
load(int64 *numbers)
{
	IdemSlots	slots;
	int			i;

	if (!idem_store_stats_try_open(&slots))
		return false;
	for (i = 0; i < PASS_NUMBERS; i++)
		numbers[i] = idem_store_stats_get(&slots, number_names[i]);
	idem_slots_close(&slots);
	return true;
}

static void
save(const int64 *numbers)
{
	IdemSlots	slots;
	int			i;

	if (!idem_store_stats_try_open(&slots))
		return;
	for (i = 0; i < PASS_NUMBERS; i++)
		idem_store_stats_put(&slots, number_names[i], numbers[i]);
	idem_slots_close(&slots);
}
