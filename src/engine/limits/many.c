/*
 * many.c
 *		Taking many requests in one call, each decided by itself.
 *
 * What a call costs beside its row is paid once: opening the table, looking at
 * the cooldown, counting.  Buckets are visited in the order of their blocks,
 * one at a time, so nobody waits for more than a bucket.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "engine/limits/cooldown.h"
#include "engine/limits/many.h"
#include "engine/limits/take.h"
#include "store/limits/limits.h"

/* A table that is found crowded grows after so many calls at the latest. */
#define CALLS_AT_ONCE	64

/* A call, and where it is to be made. */
typedef struct Visit
{
	uint32		bucket;
	int			call;
	const IdemPolicies *policies;	/* NULL for a given limit */
} Visit;

static void find_limits(const IdemRateCall *calls, int ncalls, Visit *visits);
static int	compare_visits(const void *a, const void *b);

void
idem_limits_many_take(const IdemRateCall *calls, int ncalls, bool wants_answers,
					  IdemRateTaken *taken)
{
	Visit	   *visits = palloc(ncalls * sizeof(Visit));
	TimestampTz cooldown = PG_INT64_MIN;
	IdemRateTally tally = {{0}};
	IdemRateWork work;
	IdemSlots	slots;
	int			i;

	find_limits(calls, ncalls, visits);
	if (calls[0].origin != NULL)
		(void) idem_limits_cooldown_get(calls[0].origin, &cooldown);
	idem_store_limits_open(&slots, &idem_store_limits_state, true);
	for (i = 0; i < ncalls; i++)
		visits[i].bucket = idem_slots_bucket(&slots, calls[i].resource);
	qsort(visits, ncalls, sizeof(Visit), compare_visits);
	for (i = 0; i < ncalls; i++)
	{
		const IdemRateCall *call = &calls[visits[i].call];

		CHECK_FOR_INTERRUPTS();
		idem_limits_work_begin(call, visits[i].policies, cooldown, &work);
		idem_limits_take_one(&slots, &work);
		if (call->cost > 0)
			idem_limits_answer_note(&work, &tally);
		taken[visits[i].call].is_taken = work.is_allowed;
		if (wants_answers)
			idem_limits_take_answer(&work, &taken[visits[i].call].answer);
		if (i % CALLS_AT_ONCE == CALLS_AT_ONCE - 1)
			idem_slots_grow(&slots);
	}
	idem_slots_close(&slots);
	idem_limits_answer_count(&tally);
}

/* An unknown time zone counts as no limit: it is found before the first taking. */
static void
find_limits(const IdemRateCall *calls, int ncalls, Visit *visits)
{
	IdemRateWork work;
	int			i;

	for (i = 0; i < ncalls; i++)
	{
		CHECK_FOR_INTERRUPTS();
		visits[i].call = i;
		visits[i].policies = calls[i].given != NULL ? NULL :
			idem_limits_find(calls[i].resource);
		idem_limits_work_begin(&calls[i], visits[i].policies, PG_INT64_MIN, &work);
	}
}

static int
compare_visits(const void *a, const void *b)
{
	const Visit *left = a;
	const Visit *right = b;

	if (left->bucket != right->bucket)
		return left->bucket < right->bucket ? -1 : 1;
	return left->call - right->call;
}
