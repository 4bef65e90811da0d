/*
 * take.c
 *		Asking for, taking and counting requests against rate limits.
 *
 * The clock is read while the row is locked, so that the instants of a log
 * never go backwards.  A request that is denied writes nothing, unless the
 * clock was set back, or the split of an adaptive limit was due to be made anew.
 *
 * Limits and cooldowns are read before the state is opened: nobody waits for a
 * relation while he has another locked.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"

#include "engine/common/count.h"
#include "engine/limits/take.h"
#include "engine/limits/work.h"
#include "pg/clock.h"
#include "store/ratelimits.h"

StaticAssertDecl(IDEM_COUNT_ALLOWED + IDEM_RATE_COOLDOWN == IDEM_COUNT_COOLDOWN,
				 "requests are counted in the order of IdemRateReason");

static void take(const IdemRateCall *call, IdemRateWork *work);
static void count(const IdemRateWork *work);
static void keep(IdemSlots *slots, IdemSlot *slot, IdemRateWork *work);
static void record_all(IdemSlots *slots, IdemSlot *locked, IdemRateWork *works, int n,
					   bool is_allowed);
static void read_only(const IdemRateCall *call, IdemRateWork *work);
static bool look(const IdemRateCall *call, IdemRateWork *work, bool keeps);
static bool may_write(void);
static void summarize(const IdemRateWork *work, IdemRateAnswer *answer);
static bool is_permanent(IdemRateReason reason);
static int	find_tightest(const IdemRateWork *work);
static int	find_longest_denial(const IdemRateWork *work);
static bool is_tighter(const IdemRateVerdict *a, const IdemRateVerdict *b);
static int	compare_answers(const void *a, const void *b);

bool
idem_limits_take_acquire(const IdemRateCall *call)
{
	IdemRateWork work;

	take(call, &work);
	return work.is_allowed;
}

void
idem_limits_take_consume(const IdemRateCall *call, IdemRateAnswer *answer)
{
	IdemRateWork work;

	take(call, &work);
	/* what remains, now that the request is counted */
	if (work.is_allowed)
		idem_limits_work_decide(&work, 0);
	summarize(&work, answer);
}

static void
take(const IdemRateCall *call, IdemRateWork *work)
{
	IdemSlots	slots;
	IdemSlot	slot;

	idem_limits_work_prepare(call, work);
	idem_store_ratelimits_open(&slots, &idem_store_ratelimits_state, true);
	idem_slots_lock(&slots, call->resource, &slot);
	idem_limits_work_look_up(&slots, &slot, work);
	idem_limits_work_decide(work, call->cost);
	if (work->is_allowed)
		idem_limits_work_record(work);
	if (call->cost > 0 && (work->is_allowed || work->must_keep))
		keep(&slots, &slot, work);
	idem_slots_unlock(&slot);
	idem_slots_close(&slots);
	if (call->cost > 0)
		count(work);
}

static void
count(const IdemRateWork *work)
{
	IdemRateAnswer answer = {.verdict.reason = IDEM_RATE_OK};

	if (!work->is_allowed)
		summarize(work, &answer);
	idem_count_one(IDEM_COUNT_ALLOWED + answer.verdict.reason);
}

static void
keep(IdemSlots *slots, IdemSlot *slot, IdemRateWork *work)
{
	char		bytes[IDEM_SLOTS_MAX_STATE_SIZE];
	IdemRateRow row = {.bytes = bytes};

	idem_limits_work_encode(slots, slot, work, &row);
	idem_slots_write(slots, slot, row.expires_at, row.bytes, row.size);
}

bool
idem_limits_take_acquire_all(const IdemRateCall *calls, int ncalls)
{
	IdemRateWork *works = palloc(ncalls * sizeof(IdemRateWork));
	IdemSlot   *locked = palloc(ncalls * sizeof(IdemSlot));
	const text **keys = palloc(ncalls * sizeof(text *));
	int			decisive = 0;
	bool		is_allowed = true;
	IdemSlots	slots;
	int			i;

	for (i = 0; i < ncalls; i++)
	{
		idem_limits_work_prepare(&calls[i], &works[i]);
		keys[i] = calls[i].resource;
	}
	idem_store_ratelimits_open(&slots, &idem_store_ratelimits_state, true);
	idem_slots_lock_all(&slots, keys, locked, ncalls);
	for (i = 0; i < ncalls; i++)
	{
		idem_limits_work_look_up(&slots, &locked[i], &works[i]);
		idem_limits_work_decide(&works[i], calls[i].cost);
		if (is_allowed && !works[i].is_allowed)
			decisive = i;
		is_allowed &= works[i].is_allowed;
	}
	record_all(&slots, locked, works, ncalls, is_allowed);
	idem_slots_unlock_all(locked, ncalls);
	idem_slots_close(&slots);
	count(&works[decisive]);
	return is_allowed;
}

/*
 * Record all requests, or only what must be kept when they are denied.
 * Nothing is written before there is room for all, so an error takes nothing.
 */
static void
record_all(IdemSlots *slots, IdemSlot *locked, IdemRateWork *works, int n,
		   bool is_allowed)
{
	IdemRateRow *rows = palloc0(n * sizeof(IdemRateRow));
	int			i;

	for (i = 0; i < n; i++)
	{
		if (works[i].call->cost == 0 || !(is_allowed || works[i].must_keep))
			continue;
		if (is_allowed)
			idem_limits_work_record(&works[i]);
		rows[i].bytes = palloc(IDEM_SLOTS_MAX_STATE_SIZE);
		idem_limits_work_encode(slots, &locked[i], &works[i], &rows[i]);
	}
	for (i = 0; i < n; i++)
	{
		if (rows[i].bytes != NULL)
			idem_slots_reserve(slots, &locked[i], rows[i].size);
	}
	for (i = 0; i < n; i++)
	{
		if (rows[i].bytes != NULL)
			idem_slots_write(slots, &locked[i], rows[i].expires_at,
							 rows[i].bytes, rows[i].size);
	}
}

void
idem_limits_take_record(const IdemRateCall *call)
{
	IdemSlots	slots;
	IdemSlot	slot;
	IdemRateWork work;

	idem_limits_work_prepare(call, &work);
	idem_store_ratelimits_open(&slots, &idem_store_ratelimits_state, true);
	idem_slots_lock(&slots, call->resource, &slot);
	idem_limits_work_look_up(&slots, &slot, &work);
	idem_limits_work_force(&work);
	if (call->cost > 0)
		keep(&slots, &slot, &work);
	idem_slots_unlock(&slot);
	idem_slots_close(&slots);
	idem_count_one(IDEM_COUNT_RECORDED);
}

void
idem_limits_take_ask(const IdemRateCall *call, IdemRateAnswer *answer)
{
	IdemRateWork work;

	read_only(call, &work);
	summarize(&work, answer);
}

static void
read_only(const IdemRateCall *call, IdemRateWork *work)
{
	bool		is_there;

	idem_limits_work_prepare(call, work);
	is_there = look(call, work, false);
	if (is_there && work->must_keep_always && may_write())
		(void) look(call, work, true);
	idem_limits_work_decide(work, call->cost);
}

/*
 * What settling has changed is kept, or somebody who only asks would be given
 * the same answer for ever when the clock was set back.
 */
static bool
look(const IdemRateCall *call, IdemRateWork *work, bool keeps)
{
	IdemSlots	slots;
	IdemSlot	slot;
	bool		is_there;

	idem_store_ratelimits_open(&slots, &idem_store_ratelimits_state, keeps);
	idem_slots_lock(&slots, call->resource, &slot);
	is_there = idem_slots_is_there(&slot);
	idem_limits_work_look_up(&slots, &slot, work);
	if (keeps && is_there)
		keep(&slots, &slot, work);
	idem_slots_unlock(&slot);
	idem_slots_close(&slots);
	return is_there;
}

static bool
may_write(void)
{
	return !XactReadOnly && !IsInParallelMode() && !RecoveryInProgress();
}

/* Where several deny, the wait must be long enough for all. */
static void
summarize(const IdemRateWork *work, IdemRateAnswer *answer)
{
	int			denial = find_longest_denial(work);
	int			i = denial >= 0 ? denial : find_tightest(work);

	answer->policy = work->logs[i].policy;
	answer->verdict = work->verdicts[i];
	if (work->now < work->cooldown)
	{
		answer->verdict.is_allowed = false;
		if (!is_permanent(answer->verdict.reason))
			answer->verdict.reason = IDEM_RATE_COOLDOWN;
		answer->verdict.retry_after = Max(answer->verdict.retry_after,
										  work->cooldown - work->now);
	}
}

/* what no waiting changes is the better reason */
static bool
is_permanent(IdemRateReason reason)
{
	return reason == IDEM_RATE_QUOTA_ZERO || reason == IDEM_RATE_COST_EXCEEDS_QUOTA;
}

static int
find_longest_denial(const IdemRateWork *work)
{
	int			found = -1;
	int			i;

	for (i = 0; i < work->nlogs; i++)
	{
		const IdemRateVerdict *verdict = &work->verdicts[i];

		if (!verdict->is_allowed &&
			(found < 0 || verdict->retry_after > work->verdicts[found].retry_after))
			found = i;
	}
	return found;
}

static int
find_tightest(const IdemRateWork *work)
{
	int			found = 0;
	int			i;

	for (i = 1; i < work->nlogs; i++)
	{
		if (is_tighter(&work->verdicts[i], &work->verdicts[found]))
			found = i;
	}
	return found;
}

/* the least is left, or it is back the latest */
static bool
is_tighter(const IdemRateVerdict *a, const IdemRateVerdict *b)
{
	return a->remaining < b->remaining ||
		(a->remaining == b->remaining && a->reset_at > b->reset_at);
}

int
idem_limits_take_status(const IdemRateCall *call, IdemRateAnswer answers[IDEM_MAX_POLICIES])
{
	IdemRateWork work;
	int			i;

	read_only(call, &work);
	for (i = 0; i < work.nlogs; i++)
	{
		answers[i].policy = work.logs[i].policy;
		answers[i].verdict = work.verdicts[i];
	}
	qsort(answers, work.nlogs, sizeof(IdemRateAnswer), compare_answers);
	return work.nlogs;
}

static int
compare_answers(const void *a, const void *b)
{
	const IdemRateAnswer *left = a;
	const IdemRateAnswer *right = b;

	if (is_tighter(&left->verdict, &right->verdict))
		return -1;
	if (is_tighter(&right->verdict, &left->verdict))
		return 1;
	return strcmp(left->policy, right->policy);
}

bool
idem_limits_take_split(const IdemRateCall *call, IdemRateSplit *split)
{
	IdemRateWork work;
	int			i;

	read_only(call, &work);
	for (i = 0; i < work.nlogs; i++)
	{
		const IdemRateLog *log = &work.logs[i];
		const IdemAdaptiveState *adaptive = &log->state.as.adaptive;

		if (log->limit->algorithm != IDEM_ADAPTIVE)
			continue;
		split->user_reserved = adaptive->user_reserved;
		split->background_max = adaptive->background_max;
		split->background_paused = adaptive->background_paused;
		split->reason = adaptive->reason;
		split->recent_users = idem_ratemath_recent_users(&log->state, log->limit,
														 work.now);
		return true;
	}
	return false;
}

bool
idem_limits_take_reset(const text *resource)
{
	IdemSlots	slots;
	IdemSlot	slot;
	IdemSlotRow row;
	bool		is_live;

	idem_store_ratelimits_open(&slots, &idem_store_ratelimits_state, true);
	idem_slots_lock(&slots, resource, &slot);
	is_live = idem_slots_get(&slots, &slot, &row) &&
		idem_clock_now() < *row.expires_at;
	idem_slots_remove(&slots, &slot);
	idem_slots_unlock(&slot);
	idem_slots_close(&slots);
	return is_live;
}
