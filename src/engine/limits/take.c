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
#include "store/limits/limits.h"

static void take(const IdemRateCall *call, IdemRateWork *work);
static inline void take_locked(IdemSlots *slots, IdemSlot *slot, IdemRateWork *work);
static void keep(IdemSlots *slots, IdemSlot *slot, IdemRateWork *work);
static void lock_all(IdemSlots *slots, const text *const *keys, IdemSlot *locked,
					 IdemRateWork *works, int n);
static int	find_old(const IdemSlot *locked, IdemRateWork *works, int n);
static void record_all(IdemSlots *slots, IdemSlot *locked, IdemRateWork *works, int n,
					   bool is_allowed);
static void read_only(const IdemRateCall *call, IdemRateWork *work);
static bool look(IdemRateWork *work, bool keeps);
static bool may_write(void);

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
	idem_limits_take_answer(&work, answer);
}

/* What remains, now that the request is counted. */
void
idem_limits_take_answer(IdemRateWork *work, IdemRateAnswer *answer)
{
	int			shadow = work->shadow;

	if (work->is_allowed)
		idem_limits_work_decide(work, 0);
	work->shadow = shadow;
	idem_limits_answer_sum(work, answer);
}

static void
take(const IdemRateCall *call, IdemRateWork *work)
{
	IdemSlots	slots;
	IdemSlot	slot;

	idem_limits_work_prepare(call, work);
	idem_store_limits_open(&slots, &idem_store_limits_state, true);
	idem_limits_work_lock(&slots, &slot, work);
	take_locked(&slots, &slot, work);
	idem_slots_close(&slots);
	if (call->cost > 0)
		idem_limits_answer_count(work);
}

void
idem_limits_take_one(IdemSlots *slots, uint64 hash, IdemRateWork *work)
{
	IdemSlot	slot;

	idem_limits_work_lock_hashed(slots, hash, &slot, work);
	take_locked(slots, &slot, work);
}

static inline void
take_locked(IdemSlots *slots, IdemSlot *slot, IdemRateWork *work)
{
	int64		cost = work->call->cost;

	idem_limits_work_decide(work, cost);
	if (work->is_allowed)
		idem_limits_work_record(work);
	if (cost > 0 && (work->is_allowed || work->must_keep))
		keep(slots, slot, work);
	idem_slots_unlock(slot);
}

static void
keep(IdemSlots *slots, IdemSlot *slot, IdemRateWork *work)
{
	char		bytes[IDEM_SLOTS_MAX_STATE_SIZE];
	IdemRateRow row = {.bytes = bytes};

	idem_limits_work_encode(slot, work, &row);
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
	idem_store_limits_open(&slots, &idem_store_limits_state, true);
	lock_all(&slots, keys, locked, works, ncalls);
	for (i = 0; i < ncalls; i++)
	{
		idem_limits_work_decide(&works[i], calls[i].cost);
		if (is_allowed && (!works[i].is_allowed || works[decisive].shadow < 0))
			decisive = i;
		is_allowed &= works[i].is_allowed;
	}
	record_all(&slots, locked, works, ncalls, is_allowed);
	idem_slots_unlock_all(locked, ncalls);
	idem_slots_close(&slots);
	idem_limits_answer_count(&works[decisive]);
	return is_allowed;
}

/* Lock all rows, and look them up. */
static void
lock_all(IdemSlots *slots, const text *const *keys, IdemSlot *locked,
		 IdemRateWork *works, int n)
{
	int			old;

	for (;;)
	{
		idem_slots_lock_all(slots, keys, locked, n);
		old = find_old(locked, works, n);
		if (old < 0)
			return;
		idem_slots_unlock_all(locked, n);
		idem_limits_work_turn(&works[old]);
	}
}

/* the first one whose window of the calendar is over, or -1 */
static int
find_old(const IdemSlot *locked, IdemRateWork *works, int n)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		if (!idem_limits_work_look_up(&locked[i], &works[i]))
			return i;
	}
	return -1;
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
		idem_limits_work_encode(&locked[i], &works[i], &rows[i]);
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
	idem_store_limits_open(&slots, &idem_store_limits_state, true);
	idem_limits_work_lock(&slots, &slot, &work);
	idem_limits_work_force(&work);
	if (call->cost > 0)
		keep(&slots, &slot, &work);
	idem_slots_unlock(&slot);
	idem_slots_close(&slots);
	idem_count_one(IDEM_COUNT_RECORDED);
}

bool
idem_limits_take_refund(const IdemRateCall *call, TimestampTz taken_at)
{
	bool		is_given = false;
	IdemSlots	slots;
	IdemSlot	slot;
	IdemRateWork work;
	int			i;

	idem_limits_work_prepare(call, &work);
	idem_store_limits_open(&slots, &idem_store_limits_state, true);
	idem_limits_work_lock(&slots, &slot, &work);
	for (i = 0; i < work.nlogs; i++)
	{
		IdemRateRefund refund = {work.now, Min(taken_at, work.now), call->cost, call->is_user};

		is_given |= idem_ratemath_refund(&work.logs[i].state, &refund);
	}
	if (is_given)
		keep(&slots, &slot, &work);
	idem_slots_unlock(&slot);
	idem_slots_close(&slots);
	return is_given;
}

void
idem_limits_take_ask(const IdemRateCall *call, IdemRateAnswer *answer)
{
	IdemRateWork work;

	read_only(call, &work);
	idem_limits_answer_sum(&work, answer);
}

static void
read_only(const IdemRateCall *call, IdemRateWork *work)
{
	bool		is_there;

	idem_limits_work_prepare(call, work);
	is_there = look(work, false);
	if (is_there && work->must_keep_always && may_write())
		(void) look(work, true);
	idem_limits_work_decide(work, call->cost);
}

/*
 * What settling has changed is kept, or somebody who only asks would be given
 * the same answer for ever when the clock was set back.
 */
static bool
look(IdemRateWork *work, bool keeps)
{
	IdemSlots	slots;
	IdemSlot	slot;
	bool		is_there;

	idem_store_limits_open(&slots, &idem_store_limits_state, keeps);
	idem_limits_work_lock(&slots, &slot, work);
	is_there = idem_slots_is_there(&slot);
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

int
idem_limits_take_status(const IdemRateCall *call, IdemRateAnswer answers[IDEM_MAX_POLICIES])
{
	IdemRateWork work;
	int			i;

	read_only(call, &work);
	for (i = 0; i < work.nlogs; i++)
		idem_limits_answer_one(&work, i, &answers[i]);
	qsort(answers, work.nlogs, sizeof(IdemRateAnswer), idem_limits_answer_compare);
	return work.nlogs;
}

int
idem_limits_take_row(const IdemRateCall *call, const IdemPolicies *policies,
					 const IdemSlotRow *row, IdemRateAnswer answers[IDEM_MAX_POLICIES])
{
	IdemRateWork work;
	int			i;

	idem_limits_work_begin(call, policies, PG_INT64_MIN, &work);
	while (!idem_limits_work_read(row, &work))
		idem_limits_work_turn(&work);
	idem_limits_work_decide(&work, call->cost);
	for (i = 0; i < work.nlogs; i++)
		idem_limits_answer_one(&work, i, &answers[i]);
	return work.nlogs;
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
	const IdemSlotRow *row;
	bool		is_live;

	idem_store_limits_open(&slots, &idem_store_limits_state, true);
	idem_slots_lock(&slots, resource, &slot);
	row = idem_slots_row(&slot);
	is_live = row != NULL && idem_clock_now() < *row->expires_at;
	idem_slots_remove(&slots, &slot);
	idem_slots_unlock(&slot);
	idem_slots_close(&slots);
	return is_live;
}
