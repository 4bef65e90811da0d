/*
 * ages.c
 *		How much was written when, in a bounded memory.
 *
 * When there is no more room, neighbours become one, which stands for what both
 * have and for the later instant, as long as that is no more than its share of all:
 * so a cut is never off by more than such a share, whatever the ages are.
 */
#include "postgres.h"

#include "engine/cache/ages.h"

static void sort(IdemAges *ages);
static int	compare(const void *a, const void *b);
static void merge(IdemAges *ages);

void
idem_cache_ages_add(IdemAges *ages, TimestampTz at, int64 size)
{
	if (ages->n == IDEM_AGES_MOST)
	{
		sort(ages);
		merge(ages);
	}
	ages->ages[ages->n].at = at;
	ages->ages[ages->n].size = size;
	ages->n++;
	ages->size += size;
}

static void
sort(IdemAges *ages)
{
	qsort(ages->ages, ages->n, sizeof(IdemAge), compare);
}

static int
compare(const void *a, const void *b)
{
	TimestampTz left = ((const IdemAge *) a)->at;
	TimestampTz right = ((const IdemAge *) b)->at;

	return left < right ? -1 : left > right;
}

/* Two neighbours are more than a share, so at most half of all remain, and one. */
static void
merge(IdemAges *ages)
{
	int64		share = ages->size / (IDEM_AGES_MOST / 4);
	int			n = 0;
	int			i;

	for (i = 1; i < ages->n; i++)
	{
		IdemAge    *last = &ages->ages[n];
		const IdemAge *next = &ages->ages[i];

		if (last->size + next->size <= share)
		{
			last->at = next->at;
			last->size += next->size;
		}
		else
			ages->ages[++n] = *next;
	}
	ages->n = n + 1;
}

TimestampTz
idem_cache_ages_cut(IdemAges *ages, int64 most, int64 *stays)
{
	int			i;

	sort(ages);
	*stays = 0;
	for (i = ages->n - 1; i > 0 && *stays + ages->ages[i].size <= most; i--)
		*stays += ages->ages[i].size;
	return ages->ages[i].at;
}
