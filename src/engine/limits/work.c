/*
 * work.c
 *		The limits that hold for one call, and what they say.
 */
#include "postgres.h"

#include "engine/limits/cooldown.h"
#include "engine/limits/work.h"
#include "pg/clock.h"

static inline void begin(const IdemRateCall *call, const IdemPolicies *policies,
						 TimestampTz cooldown, IdemRateWork *work);
static bool read_row(const IdemSlotRow *row, IdemRateWork *work);
static void turn_to(IdemRateLog *log, TimestampTz instant);
static bool holds(const IdemRateLimit *window, TimestampTz instant);
static bool settle(IdemRateLog *log, TimestampTz now, bool *must_keep_always);

void
idem_limits_work_prepare(const IdemRateCall *call, IdemRateWork *work)
{
	TimestampTz cooldown = PG_INT64_MIN;

	if (call->origin != NULL)
		(void) idem_limits_cooldown_get(call->origin, &cooldown);
	begin(call, call->given == NULL ? idem_limits_find(call->resource) : NULL, cooldown,
		  work);
}

void
idem_limits_work_begin(const IdemRateCall *call, const IdemPolicies *policies,
					   TimestampTz cooldown, IdemRateWork *work)
{
	begin(call, policies, cooldown, work);
}

static inline void
begin(const IdemRateCall *call, const IdemPolicies *policies, TimestampTz cooldown,
	  IdemRateWork *work)
{
	int			i;

	work->call = call;
	work->cooldown = cooldown;
	work->shadow = -1;
	if (policies == NULL)
	{
		work->nlogs = 1;
		work->logs[0].policy = NULL;
		work->logs[0].is_enforced = true;
		work->logs[0].limit = call->given;
		work->logs[0].calendar = NULL;
		return;
	}
	work->nlogs = policies->count;
	for (i = 0; i < policies->count; i++)
	{
		const IdemPolicy *policy = &policies->policy[i];
		IdemRateLog *log = &work->logs[i];

		log->policy = policy->name;
		log->is_enforced = policy->is_enforced;
		log->limit = &policy->limit;
		log->calendar = policy->calendar;
		if (log->calendar != NULL)
			turn_to(log, idem_clock_now());
	}
}

static void
turn_to(IdemRateLog *log, TimestampTz instant)
{
	idem_limits_calendar_turn_to(log->calendar, instant);
	log->window = *log->limit;
	log->window.start = log->calendar->start;
	log->window.period = log->calendar->end - log->calendar->start;
	log->limit = &log->window;
}

void
idem_limits_work_turn(IdemRateWork *work)
{
	int			i;

	for (i = 0; i < work->nlogs; i++)
	{
		if (work->logs[i].calendar != NULL)
			turn_to(&work->logs[i], idem_clock_now());
	}
}

void
idem_limits_work_lock(IdemSlots *slots, IdemSlot *slot, IdemRateWork *work)
{
	for (;;)
	{
		idem_slots_lock(slots, work->call->resource, slot);
		if (read_row(idem_slots_row(slot), work))
			return;
		idem_slots_unlock(slot);
		idem_limits_work_turn(work);
	}
}

void
idem_limits_work_lock_hashed(IdemSlots *slots, uint64 hash, IdemSlot *slot,
							 IdemRateWork *work)
{
	for (;;)
	{
		idem_slots_lock_hashed(slots, work->call->resource, hash, slot);
		if (read_row(idem_slots_row(slot), work))
			return;
		idem_slots_unlock(slot);
		idem_limits_work_turn(work);
	}
}

bool
idem_limits_work_look_up(const IdemSlot *slot, IdemRateWork *work)
{
	return read_row(idem_slots_row(slot), work);
}

bool
idem_limits_work_read(const IdemSlotRow *row, IdemRateWork *work)
{
	return read_row(row, work);
}

static bool
read_row(const IdemSlotRow *row, IdemRateWork *work)
{
	int			i;

	work->now = idem_clock_now();
	work->must_keep = false;
	work->must_keep_always = false;
	for (i = 0; i < work->nlogs; i++)
	{
		IdemRateLog *log = &work->logs[i];

		if (log->calendar != NULL && !holds(&log->window, work->now))
			return false;
		idem_limits_state_read(row != NULL ? idem_slots_page_row_bytes(row) : NULL,
							   row != NULL ? idem_slots_page_row_room(row) : 0,
							   work->now, log);
		work->must_keep |= settle(log, work->now, &work->must_keep_always);
	}
	return true;
}

static bool
holds(const IdemRateLimit *window, TimestampTz instant)
{
	return instant >= window->start && instant - window->start < window->period;
}

/* A new split can be made as well by the next one who takes. */
static bool
settle(IdemRateLog *log, TimestampTz now, bool *must_keep_always)
{
	bool		is_from_future;
	bool		must_keep;

	is_from_future = log->state.algorithm == IDEM_ADAPTIVE &&
		now < log->state.as.adaptive.last;
	must_keep = idem_ratemath_settle(&log->state, log->limit, now);
	*must_keep_always |= must_keep &&
		(is_from_future || log->limit->algorithm != IDEM_ADAPTIVE);
	return must_keep;
}

void
idem_limits_work_decide(IdemRateWork *work, int64 cost)
{
	IdemRateRequest request = {work->now, cost, work->call->is_user};
	int			i;

	work->is_allowed = work->now >= work->cooldown;
	work->shadow = -1;
	for (i = 0; i < work->nlogs; i++)
	{
		const IdemRateLog *log = &work->logs[i];
		IdemRateVerdict *verdict = &work->verdicts[i];

		idem_ratemath_decide(&log->state, log->limit, &request, verdict);
		if (verdict->is_allowed)
			continue;
		if (log->is_enforced)
			work->is_allowed = false;
		else if (work->shadow < 0 ||
				 verdict->retry_after > work->verdicts[work->shadow].retry_after)
			work->shadow = i;
	}
}

/* What would be denied takes nothing, in the shadow. */
void
idem_limits_work_record(IdemRateWork *work)
{
	IdemRateRequest request = {work->now, work->call->cost, work->call->is_user};
	int			i;

	for (i = 0; i < work->nlogs; i++)
	{
		if (work->logs[i].is_enforced || work->verdicts[i].is_allowed)
			idem_ratemath_record(&work->logs[i].state, work->logs[i].limit, &request);
	}
}

void
idem_limits_work_force(IdemRateWork *work)
{
	IdemRateRequest request = {work->now, work->call->cost, work->call->is_user};
	int			i;

	for (i = 0; i < work->nlogs; i++)
		idem_ratemath_force(&work->logs[i].state, work->logs[i].limit, &request);
}

void
idem_limits_work_encode(const IdemSlot *slot, IdemRateWork *work, IdemRateRow *row)
{
	const IdemSlotRow *found = idem_slots_row(slot);
	IdemRateRow old = {0};

	if (found != NULL)
	{
		old.bytes = (char *) idem_slots_page_row_bytes(found);
		old.size = idem_slots_page_row_room(found);
		old.expires_at = *found->expires_at;
	}
	idem_limits_state_write(work->logs, work->nlogs, &old, work->now, row);
}
