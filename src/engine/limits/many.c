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
#include "pg/clock.h"
#include "store/limits/limits.h"

/* A table that is found crowded grows after so many calls at the latest. */
#define CALLS_AT_ONCE	64

/* What is known of a call before it is made. */
typedef struct CallPlan
{
	uint64		hash;
	const IdemPolicies *policies;	/* NULL for a given limit */
} CallPlan;

/* Visits are numbers, the bucket above the call. */
#define ST_SORT sort_visits
#define ST_ELEMENT_TYPE uint64
#define ST_COMPARE(a, b) (*(a) < *(b) ? -1 : *(a) > *(b))
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void find_limits(const IdemRateCall *calls, int ncalls, CallPlan *plans);
static uint64 *order_visits(const IdemSlots *slots, const IdemRateCall *calls, int ncalls,
							CallPlan *plans);

void
idem_limits_many_take(const IdemRateCall *calls, int ncalls, bool wants_answers,
					  IdemRateTaken *taken)
{
	CallPlan   *plans = palloc(ncalls * sizeof(CallPlan));
	TimestampTz cooldown = PG_INT64_MIN;
	IdemRateTally tally = {{0}};
	uint64	   *visits;
	IdemRateWork work;
	IdemSlots	slots;
	int			i;

	find_limits(calls, ncalls, plans);
	if (calls[0].origin != NULL)
		(void) idem_limits_cooldown_get(calls[0].origin, &cooldown);
	idem_store_limits_open(&slots, &idem_store_limits_state, true);
	visits = order_visits(&slots, calls, ncalls, plans);
	for (i = 0; i < ncalls; i++)
	{
		uint32		n = (uint32) visits[i];

		CHECK_FOR_INTERRUPTS();
		idem_limits_work_begin(&calls[n], plans[n].policies, cooldown, &work);
		idem_limits_take_one(&slots, plans[n].hash, &work);
		if (calls[n].cost > 0)
			idem_limits_answer_note(&work, &tally);
		taken[n].is_taken = work.is_allowed;
		if (wants_answers)
			idem_limits_take_answer(&work, &taken[n].answer);
		if (i % CALLS_AT_ONCE == CALLS_AT_ONCE - 1)
			idem_slots_grow(&slots);
	}
	idem_slots_close(&slots);
	idem_limits_answer_count_all(&tally);
}

/* Neither a missing limit nor an unknown time zone is found after a taking. */
static void
find_limits(const IdemRateCall *calls, int ncalls, CallPlan *plans)
{
	TimestampTz now = idem_clock_now();
	int			i;

	for (i = 0; i < ncalls; i++)
	{
		CHECK_FOR_INTERRUPTS();
		plans[i].policies = NULL;
		if (calls[i].given != NULL)
			continue;
		plans[i].policies = i == 0 ? idem_limits_find(calls[i].resource) :
			idem_limits_find_next(calls[i].resource);
		idem_limits_policy_turn_to(plans[i].policies, now);
	}
}

static uint64 *
order_visits(const IdemSlots *slots, const IdemRateCall *calls, int ncalls, CallPlan *plans)
{
	uint64	   *visits = palloc(ncalls * sizeof(uint64));
	int			i;

	for (i = 0; i < ncalls; i++)
	{
		plans[i].hash = idem_slots_hash(slots, calls[i].resource);
		visits[i] = (uint64) idem_slots_bucket(slots, plans[i].hash) << 32 | i;
	}
	sort_visits(visits, ncalls);
	return visits;
}
