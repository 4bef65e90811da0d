/*
 * names.c
 *		What a session remembers of the exact names that limits are set for.
 *
 * A stranger's name must be known not to be among them without a look into the
 * index.  So the order of names is learnt in stretches, where they are asked
 * for: between its two ends, a stretch knows a hash of every name that has
 * rows.  A hundred thousand names take half a megabyte, a gap between them that
 * all strangers fall into takes nothing.  When the room is used up, names that
 * no stretch knows are looked up, and after many of those all begins anew.
 *
 * The policies of names that were looked up are remembered beside.  Names that
 * end in an asterisk are patterns, and never asked for here.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

#include "engine/limits/names.h"
#include "pg/name.h"
#include "store/limits/rows.h"

/* names that are learnt at once, on each side */
#define STRETCH_HALF	64

/* index entries read for them, of which many may be of one name */
#define MAX_ENTRIES		512

#define MAX_STRETCH_BYTES	(512 * 1024)
#define MAX_KNOWN_BYTES		(320 * 1024)

/* look-ups for want of room, after which all begins anew */
#define PATIENCE		4096

#define KNOWN_CHAINS	2048

/* different policies that are kept once for all names that have them */
#define MAX_SHARED		16

/* Names from one to another, both included; no end where there is no name. */
typedef struct Stretch
{
	int			low_size;
	int			high_size;
	int			nhashes;		/* in order */
	uint32		data[FLEXIBLE_ARRAY_MEMBER];	/* hashes, then both ends */
} Stretch;

#define NO_END	(-1)

/* A name that was looked up. */
typedef struct Known
{
	struct Known *next;
	const IdemPolicies *policies;	/* NULL for none */
	uint32		hash;
	int			size;
	char		name[FLEXIBLE_ARRAY_MEMBER];
} Known;

struct IdemNames
{
	MemoryContext context;
	MemoryContext stretch_context;
	Stretch   **stretches;		/* by their low ends */
	int			nstretches;
	int			allocated;
	bool		has_none;		/* there are no exact names at all */
	Size		stretch_bytes;
	int			nmissed;		/* look-ups for want of room */
	MemoryContext known_context;
	Known	  **known;
	IdemPolicies *shared[MAX_SHARED];
	int			nshared;
};

typedef struct End
{
	const char *name;
	int			size;			/* or NO_END */
} End;

/* What is being learnt, in one direction after the other. */
typedef struct Lesson
{
	bool		is_upwards;
	End			limit;			/* where a stretch that is known begins */
	End			end;
	int			nnames;
	int			nentries;
	int			nhashes;
	uint32		hashes[2 * (STRETCH_HALF + 1)];
} Lesson;

static void begin_known(IdemNames *names);
static bool is_stranger(const IdemNames *names, const char *name, int size, uint32 hash);
static const Stretch *find_stretch(const IdemNames *names, const char *name, int size);
static int	last_from(const IdemNames *names, const char *name, int size);
static End	low_end(const Stretch *stretch);
static End	high_end(const Stretch *stretch);
static bool has_hash(const Stretch *stretch, uint32 hash);
static bool make_room(IdemNames *names, int *below);
static bool learn_side(Lesson *lesson, const text *name, bool is_upwards, End limit);
static bool see_name(const char *name, int size, void *arg);
static void add_stretch(IdemNames *names, int position, End low, const Lesson *lesson);
static int	compare_hashes(const void *a, const void *b);
static const IdemPolicies *share(IdemNames *names, IdemPolicies *policies);

IdemNames *
idem_limits_names_begin(void)
{
	IdemNames  *names = palloc0(sizeof(IdemNames));

	names->context = CurrentMemoryContext;
	names->stretch_context = GenerationContextCreate(names->context,
													 "idemstore names of rate limits",
													 ALLOCSET_SMALL_SIZES);
	names->allocated = 16;
	names->stretches = palloc(names->allocated * sizeof(Stretch *));
	begin_known(names);
	return names;
}

static void
begin_known(IdemNames *names)
{
	names->known_context = AllocSetContextCreate(names->context,
												 "idemstore exact rate limits",
												 ALLOCSET_SMALL_SIZES);
	names->known = MemoryContextAllocZero(names->known_context,
										  KNOWN_CHAINS * sizeof(Known *));
	names->nshared = 0;
}

IdemNameAnswer
idem_limits_names_find(const IdemNames *names, const text *name,
					   const IdemPolicies **policies)
{
	const char *bytes = VARDATA_ANY(name);
	int			size = VARSIZE_ANY_EXHDR(name);
	const Known *known;
	uint32		hash;

	*policies = NULL;
	if (names->has_none)
		return IDEM_NAME_KNOWN;
	hash = hash_bytes((const unsigned char *) bytes, size);
	for (known = names->known[hash % KNOWN_CHAINS]; known != NULL; known = known->next)
	{
		if (known->hash == hash && known->size == size &&
			memcmp(known->name, bytes, size) == 0)
		{
			*policies = known->policies;
			return IDEM_NAME_KNOWN;
		}
	}
	return is_stranger(names, bytes, size, hash) ? IDEM_NAME_KNOWN : IDEM_NAME_UNKNOWN;
}

static bool
is_stranger(const IdemNames *names, const char *name, int size, uint32 hash)
{
	const Stretch *stretch = find_stretch(names, name, size);

	return stretch != NULL && !has_hash(stretch, hash);
}

static const Stretch *
find_stretch(const IdemNames *names, const char *name, int size)
{
	int			i = last_from(names, name, size);
	End			high;

	if (i < 0)
		return NULL;
	high = high_end(names->stretches[i]);
	return high.size == NO_END ||
		idem_name_compare_bytes(name, size, high.name, high.size) <= 0 ?
		names->stretches[i] : NULL;
}

/* the last stretch that begins at the name or below it, or -1 */
static int
last_from(const IdemNames *names, const char *name, int size)
{
	int			first = 0;
	int			end = names->nstretches;

	while (first < end)
	{
		int			middle = first + (end - first) / 2;
		End			low = low_end(names->stretches[middle]);

		if (low.size == NO_END ||
			idem_name_compare_bytes(low.name, low.size, name, size) <= 0)
			first = middle + 1;
		else
			end = middle;
	}
	return first - 1;
}

static End
low_end(const Stretch *stretch)
{
	End			end = {(const char *) &stretch->data[stretch->nhashes], stretch->low_size};

	return end;
}

static End
high_end(const Stretch *stretch)
{
	End			end = low_end(stretch);

	end.name += Max(stretch->low_size, 0);
	end.size = stretch->high_size;
	return end;
}

static bool
has_hash(const Stretch *stretch, uint32 hash)
{
	int			first = 0;
	int			end = stretch->nhashes;

	while (first < end)
	{
		int			middle = first + (end - first) / 2;

		if (stretch->data[middle] < hash)
			first = middle + 1;
		else
			end = middle;
	}
	return first < stretch->nhashes && stretch->data[first] == hash;
}

bool
idem_limits_names_learn(IdemNames *names, const text *name)
{
	const char *bytes = VARDATA_ANY(name);
	int			size = VARSIZE_ANY_EXHDR(name);
	int			below = last_from(names, bytes, size);
	End			none = {NULL, NO_END};
	Lesson		lesson = {.nhashes = 0};
	End			low;

	if (find_stretch(names, bytes, size) != NULL || !make_room(names, &below) ||
		!learn_side(&lesson, name, false,
					below < 0 ? none : high_end(names->stretches[below])))
		return false;
	low = lesson.end;
	learn_side(&lesson, name, true,
			   below + 1 == names->nstretches ? none : low_end(names->stretches[below + 1]));
	qsort(lesson.hashes, lesson.nhashes, sizeof(uint32), compare_hashes);
	add_stretch(names, below + 1, low, &lesson);
	return is_stranger(names, bytes, size, hash_bytes((const unsigned char *) bytes, size));
}

/* Where there is none, names are looked up, for a while. */
static bool
make_room(IdemNames *names, int *below)
{
	if (names->stretch_bytes < MAX_STRETCH_BYTES)
		return true;
	if (++names->nmissed < PATIENCE)
		return false;
	MemoryContextReset(names->stretch_context);
	names->nstretches = 0;
	names->stretch_bytes = 0;
	names->nmissed = 0;
	*below = -1;
	return true;
}

/* false when names cannot be had in their order */
static bool
learn_side(Lesson *lesson, const text *name, bool is_upwards, End limit)
{
	lesson->is_upwards = is_upwards;
	lesson->limit = limit;
	lesson->end.size = NO_END;
	lesson->nnames = 0;
	lesson->nentries = 0;
	if (!idem_store_limits_rows_walk(name, is_upwards ? ForwardScanDirection : BackwardScanDirection,
									 see_name, lesson))
		return false;
	if (lesson->end.size == NO_END)
		lesson->end = limit;
	return true;
}

static bool
see_name(const char *name, int size, void *arg)
{
	Lesson	   *lesson = arg;
	uint32		hash = hash_bytes((const unsigned char *) name, size);
	int			order = -1;

	if (lesson->limit.size != NO_END)
	{
		order = idem_name_compare_bytes(name, size, lesson->limit.name,
										lesson->limit.size);
		order = lesson->is_upwards ? order : -order;
	}
	if (order > 0)
		return false;
	if (size > 0 && name[size - 1] != '*' &&
		(lesson->nnames == 0 || lesson->hashes[lesson->nhashes - 1] != hash))
	{
		lesson->hashes[lesson->nhashes++] = hash;
		lesson->nnames++;
	}
	if (lesson->nnames < STRETCH_HALF && ++lesson->nentries < MAX_ENTRIES)
		return order < 0;
	lesson->end.name = pnstrdup(name, size);
	lesson->end.size = size;
	return false;
}

static void
add_stretch(IdemNames *names, int position, End low, const Lesson *lesson)
{
	End			high = lesson->end;
	int			nhashes = lesson->nhashes;
	Size		size = offsetof(Stretch, data) + nhashes * sizeof(uint32) +
	Max(low.size, 0) + Max(high.size, 0);
	Stretch    *stretch = MemoryContextAlloc(names->stretch_context, size);
	char	   *ends = (char *) &stretch->data[nhashes];

	if (names->nstretches == names->allocated)
	{
		names->allocated *= 2;
		names->stretches = repalloc(names->stretches, names->allocated * sizeof(Stretch *));
	}
	stretch->low_size = low.size;
	stretch->high_size = high.size;
	stretch->nhashes = nhashes;
	memcpy(stretch->data, lesson->hashes, nhashes * sizeof(uint32));
	if (low.size > 0)
		memcpy(ends, low.name, low.size);
	if (high.size > 0)
		memcpy(ends + Max(low.size, 0), high.name, high.size);

	memmove(&names->stretches[position + 1], &names->stretches[position],
			(names->nstretches - position) * sizeof(Stretch *));
	names->stretches[position] = stretch;
	names->nstretches++;
	names->has_none = low.size == NO_END && high.size == NO_END && nhashes == 0;
	names->stretch_bytes += size + 2 * sizeof(Stretch *);
}

static int
compare_hashes(const void *a, const void *b)
{
	uint32		left = *(const uint32 *) a;
	uint32		right = *(const uint32 *) b;

	return left < right ? -1 : left > right;
}

MemoryContext
idem_limits_names_context(IdemNames *names)
{
	if (MemoryContextMemAllocated(names->known_context, false) > MAX_KNOWN_BYTES)
	{
		MemoryContextSetParent(names->known_context, CurrentMemoryContext);
		begin_known(names);
	}
	return names->known_context;
}

const IdemPolicies *
idem_limits_names_add(IdemNames *names, const text *name, IdemPolicies *policies)
{
	int			size = VARSIZE_ANY_EXHDR(name);
	Known	   *known = MemoryContextAlloc(names->known_context,
										   offsetof(Known, name) + size);
	uint32		hash = hash_bytes((const unsigned char *) VARDATA_ANY(name), size);

	known->policies = policies == NULL ? NULL : share(names, policies);
	known->hash = hash;
	known->size = size;
	memcpy(known->name, VARDATA_ANY(name), size);
	known->next = names->known[hash % KNOWN_CHAINS];
	names->known[hash % KNOWN_CHAINS] = known;
	return known->policies;
}

/* Many names have the limits of a few plans. */
static const IdemPolicies *
share(IdemNames *names, IdemPolicies *policies)
{
	int			i;

	for (i = 0; i < names->nshared; i++)
	{
		if (idem_limits_policy_equal(names->shared[i], policies))
		{
			pfree(policies);
			return names->shared[i];
		}
	}
	if (names->nshared < MAX_SHARED)
		names->shared[names->nshared++] = policies;
	return policies;
}
