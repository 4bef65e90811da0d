/*
 * work.c
 *		The limits that hold for one call, and what they say.
 */
#include "postgres.h"

#include "engine/limits/cooldown.h"
#include "engine/limits/work.h"
#include "pg/clock.h"

static bool settle(IdemRateLog *log, TimestampTz now, bool *must_keep_always);

void
idem_limits_work_prepare(const IdemRateCall *call, IdemRateWork *work)
{
	work->call = call;
	work->cooldown = PG_INT64_MIN;
	if (call->origin != NULL)
		(void) idem_limits_cooldown_get(call->origin, &work->cooldown);
	if (call->given != NULL)
	{
		work->nlogs = 1;
		work->logs[0].policy = NULL;
		work->logs[0].limit = call->given;
	}
	else
	{
		const IdemPolicies *policies = idem_limits_find(call->resource);
		int			i;

		work->nlogs = policies->count;
		for (i = 0; i < policies->count; i++)
		{
			work->logs[i].policy = policies->policy[i].name;
			work->logs[i].limit = &policies->policy[i].limit;
		}
	}
}

void
idem_limits_work_look_up(const IdemSlots *slots, const IdemSlot *slot, IdemRateWork *work)
{
	IdemSlotRow row;
	bool		is_there = idem_slots_get(slots, slot, &row);
	int			i;

	work->now = idem_clock_now();
	work->must_keep = false;
	work->must_keep_always = false;
	for (i = 0; i < work->nlogs; i++)
	{
		IdemRateLog *log = &work->logs[i];

		idem_limits_state_read(is_there ? idem_slots_page_row_bytes(&row) : NULL,
							   is_there ? idem_slots_page_row_room(&row) : 0,
							   work->now, log);
		work->must_keep |= settle(log, work->now, &work->must_keep_always);
	}
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
	for (i = 0; i < work->nlogs; i++)
	{
		idem_ratemath_decide(&work->logs[i].state, work->logs[i].limit, &request,
							 &work->verdicts[i]);
		work->is_allowed &= work->verdicts[i].is_allowed;
	}
}

void
idem_limits_work_record(IdemRateWork *work)
{
	IdemRateRequest request = {work->now, work->call->cost, work->call->is_user};
	int			i;

	for (i = 0; i < work->nlogs; i++)
		idem_ratemath_record(&work->logs[i].state, work->logs[i].limit, &request);
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
idem_limits_work_encode(const IdemSlots *slots, const IdemSlot *slot,
						IdemRateWork *work, IdemRateRow *row)
{
	IdemRateRow old = {0};
	IdemSlotRow found;

	if (idem_slots_get(slots, slot, &found))
	{
		old.bytes = (char *) idem_slots_page_row_bytes(&found);
		old.size = idem_slots_page_row_room(&found);
		old.expires_at = *found.expires_at;
	}
	idem_limits_state_write(work->logs, work->nlogs, &old, work->now, row);
}
