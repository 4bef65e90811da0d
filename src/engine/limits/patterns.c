/*
 * patterns.c
 *		The patterns that limits are set for, sorted by name.
 *
 * What begins a pattern comes before it, and so does all that begins that: each
 * one is linked to the next shorter one that begins it.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "engine/limits/patterns.h"
#include "pg/name.h"

typedef struct Pattern
{
	char	   *prefix;			/* without the asterisk */
	int			size;
	int			shorter;		/* or -1 */
	IdemPolicies *policies;
} Pattern;

struct IdemPatterns
{
	int			count;
	int			allocated;
	Pattern    *pattern;
};

static int	compare_patterns(const void *a, const void *b);
static void merge(IdemPatterns *patterns);
static bool begins(const Pattern *pattern, const char *name, int size);
static int	last_not_above(const IdemPatterns *patterns, const char *name, int size);

IdemPatterns *
idem_limits_patterns_begin(void)
{
	IdemPatterns *patterns = palloc0(sizeof(IdemPatterns));

	patterns->allocated = 4;
	patterns->pattern = palloc(patterns->allocated * sizeof(Pattern));
	return patterns;
}

void
idem_limits_patterns_add(IdemPatterns *patterns, const IdemLimitRow *row)
{
	IdemPolicies *policies = idem_limits_policy_add(NULL, row);
	Pattern    *pattern;

	if (policies == NULL)
		return;
	if (patterns->count == patterns->allocated)
	{
		patterns->allocated *= 2;
		patterns->pattern = repalloc(patterns->pattern,
									 patterns->allocated * sizeof(Pattern));
	}
	pattern = &patterns->pattern[patterns->count++];
	pattern->size = VARSIZE_ANY_EXHDR(row->resource) - 1;
	pattern->prefix = pnstrdup(VARDATA_ANY(row->resource), pattern->size);
	pattern->shorter = -1;
	pattern->policies = policies;
}

void
idem_limits_patterns_end(IdemPatterns *patterns)
{
	int			i;

	qsort(patterns->pattern, patterns->count, sizeof(Pattern), compare_patterns);
	merge(patterns);
	for (i = 0; i < patterns->count; i++)
	{
		Pattern    *pattern = &patterns->pattern[i];
		int			candidate = i - 1;

		while (candidate >= 0 &&
			   !begins(&patterns->pattern[candidate], pattern->prefix, pattern->size))
			candidate = patterns->pattern[candidate].shorter;
		pattern->shorter = candidate;
	}
}

static int
compare_patterns(const void *a, const void *b)
{
	const Pattern *left = a;
	const Pattern *right = b;

	return idem_name_compare_bytes(left->prefix, left->size,
								   right->prefix, right->size);
}

/* one entry a pattern, with all of its policies */
static void
merge(IdemPatterns *patterns)
{
	int			kept = 0;
	int			i;

	for (i = 1; i < patterns->count; i++)
	{
		Pattern    *last = &patterns->pattern[kept];
		Pattern    *pattern = &patterns->pattern[i];

		if (compare_patterns(last, pattern) == 0)
			last->policies = idem_limits_policy_append(last->policies,
													   &pattern->policies->policy[0]);
		else
			patterns->pattern[++kept] = *pattern;
	}
	patterns->count = Min(patterns->count, kept + 1);
}

static bool
begins(const Pattern *pattern, const char *name, int size)
{
	return pattern->size <= size && memcmp(pattern->prefix, name, pattern->size) == 0;
}

/*
 * All patterns that match lie on the chain of the last one that is not above
 * the name.
 */
const IdemPolicies *
idem_limits_patterns_find(const IdemPatterns *patterns, const char *name, int size)
{
	int			i = last_not_above(patterns, name, size);

	while (i >= 0 && !begins(&patterns->pattern[i], name, size))
		i = patterns->pattern[i].shorter;
	return i < 0 ? NULL : patterns->pattern[i].policies;
}

static int
last_not_above(const IdemPatterns *patterns, const char *name, int size)
{
	int			first = 0;
	int			end = patterns->count;

	while (first < end)
	{
		int			middle = first + (end - first) / 2;
		const Pattern *pattern = &patterns->pattern[middle];

		if (idem_name_compare_bytes(pattern->prefix, pattern->size, name, size) <= 0)
			first = middle + 1;
		else
			end = middle;
	}
	return first - 1;
}
