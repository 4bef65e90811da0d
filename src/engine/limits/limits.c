/*
 * limits.c
 *		Which limits hold for a resource.
 *
 * All of the configuration is kept in the backend, sorted by name, and read
 * again when it has changed.  What a caller was given stays there as long as
 * the memory context it was called in, also when another look-up reads all
 * anew.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "engine/limits/limits.h"
#include "pg/clock.h"
#include "pg/errors.h"
#include "pg/guc.h"
#include "store/ratelimits.h"

/* A name that limits are set for. */
typedef struct Entry
{
	char	   *name;			/* of a pattern, without the asterisk */
	int			size;
	bool		is_pattern;
	int			shorter;		/* the next shorter pattern that begins this
								 * one, or -1 */
	IdemPolicies *policies;
} Entry;

/* Patterns first, then exact names, both in the order of bytes. */
typedef struct Limits
{
	MemoryContext context;
	int			nentries;
	int			allocated;
	int			npatterns;
	Entry	   *entries;
} Limits;

static Limits *limits = NULL;

static const struct
{
	const char *name;
	IdemRateAlgorithm algorithm;
}			algorithms[] =

{
	{"sliding_window", IDEM_SLIDING_WINDOW},
	{"token_bucket", IDEM_TOKEN_BUCKET},
	{"fixed_window", IDEM_FIXED_WINDOW},
	{"adaptive", IDEM_ADAPTIVE},
};

static void require_few(const Entry *entry);
static void load(void);
static void add_row(const IdemLimitRow *row, void *arg);
static void add_policy(Entry *entry, const IdemPolicy *policy);
static bool is_sound(const IdemLimitRow *row);
static bool is_span(const Interval *span);
static void describe(const IdemLimitRow *row, IdemPolicy *policy);
static int	compare_entries(const void *a, const void *b);
static int	compare_names(const char *a, int a_size, const char *b, int b_size);
static void merge_entries(Limits *loaded);
static void link_patterns(Limits *loaded);
static bool begins(const Entry *pattern, const char *name, int size);
static const Entry *find_exact(const char *name, int size);
static const Entry *find_pattern(const char *name, int size);
static int	last_not_above(int first, int end, const char *name, int size);

const IdemPolicies *
idem_limits_find(const text *resource)
{
	const char *name = VARDATA_ANY(resource);
	int			size = VARSIZE_ANY_EXHDR(resource);
	const Entry *entry;

	AcceptInvalidationMessages();
	if (limits == NULL || !idem_store_ratelimits_is_current())
		load();
	entry = find_exact(name, size);
	if (entry == NULL)
		entry = find_pattern(name, size);
	if (entry == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_NO_LIMIT),
				 errmsg("no rate limit is set for resource \"%s\"",
						text_to_cstring(resource)),
				 errdetail("Neither its name nor a pattern that matches it has a limit."),
				 errhint("Call set_rate_limit('*', 60, '1 min') for a default, or pass quota and per in the call.")));
	require_few(entry);
	return entry->policies;
}

/* Too many, which SQL may have brought, are nobody else's concern. */
static void
require_few(const Entry *entry)
{
	if (entry->policies->count > IDEM_MAX_POLICIES)
		idem_limits_raise_too_many(entry->name);
}

void
idem_limits_raise_too_many(const char *resource)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("too many policies for resource \"%s\"", resource),
			 errdetail("At most %d are allowed.", IDEM_MAX_POLICIES),
			 errhint("Drop one with drop_rate_limit().")));
}

/* An error on the way leaves nothing loaded. */
static void
load(void)
{
	Limits	   *loaded;
	MemoryContext context;
	MemoryContext caller;

	if (limits != NULL)
	{
		MemoryContextSetParent(limits->context, CurrentMemoryContext);
		limits = NULL;
	}
	context = AllocSetContextCreate(CurrentMemoryContext, "idemstore rate limits",
									ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(context);
	loaded = palloc0(sizeof(Limits));
	loaded->context = context;
	loaded->allocated = 16;
	loaded->entries = palloc(loaded->allocated * sizeof(Entry));
	idem_store_ratelimits_visit(add_row, loaded);
	qsort(loaded->entries, loaded->nentries, sizeof(Entry), compare_entries);
	merge_entries(loaded);
	link_patterns(loaded);
	MemoryContextSwitchTo(caller);
	MemoryContextSetParent(context, CacheMemoryContext);
	limits = loaded;
}

static void
add_row(const IdemLimitRow *row, void *arg)
{
	Limits	   *loaded = arg;
	int			size = VARSIZE_ANY_EXHDR(row->resource);
	IdemPolicy	policy;
	Entry	   *entry;

	if (!is_sound(row))
		return;
	if (loaded->nentries == loaded->allocated)
	{
		loaded->allocated *= 2;
		loaded->entries = repalloc_huge(loaded->entries, loaded->allocated * sizeof(Entry));
	}
	entry = &loaded->entries[loaded->nentries++];
	entry->name = text_to_cstring(row->resource);
	entry->is_pattern = entry->name[size - 1] == '*';
	entry->size = entry->is_pattern ? size - 1 : size;
	entry->shorter = -1;
	entry->policies = NULL;
	describe(row, &policy);
	add_policy(entry, &policy);
}

static void
add_policy(Entry *entry, const IdemPolicy *policy)
{
	IdemPolicies *policies = entry->policies;
	int			count = policies == NULL ? 0 : policies->count;
	Size		size = offsetof(IdemPolicies, policy) + (count + 1) * sizeof(IdemPolicy);

	policies = policies == NULL ? palloc(size) : repalloc(policies, size);
	policies->policy[count] = *policy;
	policies->count = count + 1;
	entry->policies = policies;
}

/* What the arithmetic cannot stand comes only when constraints were dropped. */
static bool
is_sound(const IdemLimitRow *row)
{
	IdemRateAlgorithm algorithm = idem_limits_algorithm(row->algorithm);

	return VARSIZE_ANY_EXHDR(row->resource) > 0 &&
		algorithm != IDEM_RATE_NOTHING && row->quota >= 0 && is_span(&row->period) &&
		(algorithm != IDEM_ADAPTIVE ||
		 (row->is_adaptive && is_span(&row->monitoring_window) &&
		  is_span(&row->recalculation_interval) &&
		  is_span(&row->sustained_inactivity)));
}

static bool
is_span(const Interval *span)
{
	int128		us = (int128) span->day * USECS_PER_DAY + span->time;

	return span->month == 0 && us > 0 && us <= IDEM_MAX_SPAN_DAYS * USECS_PER_DAY;
}

static void
describe(const IdemLimitRow *row, IdemPolicy *policy)
{
	IdemRateLimit *limit = &policy->limit;

	memset(policy, 0, sizeof(IdemPolicy));
	text_to_cstring_buffer(row->policy, policy->name, sizeof(policy->name));
	limit->algorithm = idem_limits_algorithm(row->algorithm);
	limit->quota = row->quota;
	limit->period = idem_limits_span_us(&row->period);
	limit->burst = row->burst > 0 ? row->burst : row->quota;
	if (!row->is_adaptive)
		return;
	limit->adaptive.monitoring_window = idem_limits_span_us(&row->monitoring_window);
	limit->adaptive.high_threshold = row->high_threshold;
	limit->adaptive.moderate_threshold = row->moderate_threshold;
	limit->adaptive.recalculation_interval = idem_limits_span_us(&row->recalculation_interval);
	limit->adaptive.sustained_inactivity = idem_limits_span_us(&row->sustained_inactivity);
	limit->adaptive.pauses_background = row->pauses_background;
	limit->adaptive.max_user_scaling = row->max_user_scaling;
	limit->adaptive.min_user_reserved = row->min_user_reserved;
}

int64
idem_limits_span_us(const Interval *span)
{
	return span->time + span->day * USECS_PER_DAY;
}

IdemRateAlgorithm
idem_limits_algorithm(const text *name)
{
	int			i;

	for (i = 0; i < lengthof(algorithms); i++)
	{
		if (compare_names(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name),
						  algorithms[i].name, strlen(algorithms[i].name)) == 0)
			return algorithms[i].algorithm;
	}
	return IDEM_RATE_NOTHING;
}

static int
compare_entries(const void *a, const void *b)
{
	const Entry *left = a;
	const Entry *right = b;

	if (left->is_pattern != right->is_pattern)
		return left->is_pattern ? -1 : 1;
	return compare_names(left->name, left->size, right->name, right->size);
}

static int
compare_names(const char *a, int a_size, const char *b, int b_size)
{
	int			order = memcmp(a, b, Min(a_size, b_size));

	return order != 0 ? order : a_size - b_size;
}

/* one entry a name, with all of its policies */
static void
merge_entries(Limits *loaded)
{
	int			kept = 0;
	int			i;

	for (i = 1; i < loaded->nentries; i++)
	{
		if (compare_entries(&loaded->entries[kept], &loaded->entries[i]) == 0)
			add_policy(&loaded->entries[kept], &loaded->entries[i].policies->policy[0]);
		else
			loaded->entries[++kept] = loaded->entries[i];
	}
	if (loaded->nentries > 0)
		loaded->nentries = kept + 1;
}

/* What begins a pattern comes before it, and so does all that begins that. */
static void
link_patterns(Limits *loaded)
{
	int			i;

	for (i = 0; i < loaded->nentries && loaded->entries[i].is_pattern; i++)
	{
		Entry	   *entry = &loaded->entries[i];
		int			candidate = i - 1;

		while (candidate >= 0 &&
			   !begins(&loaded->entries[candidate], entry->name, entry->size))
			candidate = loaded->entries[candidate].shorter;
		entry->shorter = candidate;
	}
	loaded->npatterns = i;
}

static bool
begins(const Entry *pattern, const char *name, int size)
{
	return pattern->size <= size && memcmp(pattern->name, name, pattern->size) == 0;
}

static const Entry *
find_exact(const char *name, int size)
{
	int			i = last_not_above(limits->npatterns, limits->nentries, name, size);
	const Entry *entry;

	if (i < limits->npatterns)
		return NULL;
	entry = &limits->entries[i];
	return compare_names(entry->name, entry->size, name, size) == 0 ? entry : NULL;
}

/*
 * All patterns that match lie on the chain of the last one that is not above
 * the name.
 */
static const Entry *
find_pattern(const char *name, int size)
{
	int			i = last_not_above(0, limits->npatterns, name, size);

	while (i >= 0 && !begins(&limits->entries[i], name, size))
		i = limits->entries[i].shorter;
	return i < 0 ? NULL : &limits->entries[i];
}

/* the last entry in [first, end) that does not sort above the name, or first - 1 */
static int
last_not_above(int first, int end, const char *name, int size)
{
	while (first < end)
	{
		int			middle = first + (end - first) / 2;
		const Entry *entry = &limits->entries[middle];

		if (compare_names(entry->name, entry->size, name, size) <= 0)
			first = middle + 1;
		else
			end = middle;
	}
	return first - 1;
}
