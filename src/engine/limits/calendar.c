/*
 * calendar.c
 *		Windows of the calendar: minutes to years as they are in a time zone.
 *
 * All instants that share a date, an hour or whatever the unit is are one
 * window; where it begins and ends is asked of PostgreSQL's own functions.
 * Where they cannot be right, because a clock change leaves a midnight out or
 * makes it come twice, the ends are searched for.  This reads files and
 * raises errors, so no page may be locked.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "engine/limits/calendar.h"
#include "pg/name.h"

/* further than any clock was ever set */
#define MAX_CHANGE	(3 * USECS_PER_DAY)

static const struct
{
	const char *name;			/* to date_trunc */
	Interval	length;
	bool		is_local;		/* by the date on the wall, else by the hour
								 * that has begun */
}			units[] =

{
	{"minute", {.time = USECS_PER_MINUTE}, false},
	{"hour", {.time = USECS_PER_HOUR}, false},
	{"day", {.day = 1}, true},
	{"week", {.day = 7}, true},
	{"month", {.month = 1}, true},
	{"quarter", {.month = 3}, true},
	{"year", {.month = 12}, true},
};

static int	find_unit(const Interval *span);
static int64 label_of(const IdemCalendar *calendar, TimestampTz instant);
static TimestampTz guess_start(const IdemCalendar *calendar, int64 label);
static int64 next_label(const IdemCalendar *calendar, int64 label);
static bool is_edge(const IdemCalendar *calendar, TimestampTz instant, int64 before, int64 after);
static TimestampTz search(const IdemCalendar *calendar, TimestampTz outside,
						  TimestampTz inside, int64 label);
static int64 reach(const IdemCalendar *calendar);

bool
idem_limits_calendar_is_unit(const Interval *span)
{
	return find_unit(span) >= 0;
}

/* or -1; a day may be given as 24 hours */
static int
find_unit(const Interval *span)
{
	int			i;

	for (i = 0; i < lengthof(units); i++)
	{
		const Interval *length = &units[i].length;

		if (span->month == length->month &&
			(int128) span->day * USECS_PER_DAY + span->time ==
			(int128) length->day * USECS_PER_DAY + length->time)
			return i;
	}
	return -1;
}

void
idem_limits_calendar_check(const text *time_zone)
{
	(void) DirectFunctionCall2(timestamptz_zone, PointerGetDatum(time_zone),
							   TimestampTzGetDatum(0));
}

IdemCalendar *
idem_limits_calendar_make(const Interval *span, const text *time_zone)
{
	IdemCalendar *calendar = palloc0(sizeof(IdemCalendar));

	calendar->unit = find_unit(span);
	calendar->time_zone = DatumGetTextPCopy(PointerGetDatum(time_zone));
	return calendar;
}

bool
idem_limits_calendar_equal(const IdemCalendar *a, const IdemCalendar *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->unit == b->unit && idem_name_equal(a->time_zone, b->time_zone);
}

void
idem_limits_calendar_turn_to(IdemCalendar *calendar, TimestampTz instant)
{
	int64		label;
	int64		next;
	TimestampTz start;
	TimestampTz end;

	if (instant >= calendar->start && instant < calendar->end)
		return;
	label = label_of(calendar, instant);
	start = guess_start(calendar, label);
	if (start > instant || label_of(calendar, start - 1) == label ||
		label_of(calendar, start) != label)
		start = search(calendar, instant - reach(calendar), instant, label);
	next = next_label(calendar, label);
	end = guess_start(calendar, next);
	if (end <= instant || !is_edge(calendar, end, label, next))
		end = search(calendar, instant + reach(calendar), instant, label);
	calendar->start = start;
	calendar->end = end;
}

/* what all instants of one window have in common, and no others nearby */
static int64
label_of(const IdemCalendar *calendar, TimestampTz instant)
{
	Datum		unit = CStringGetTextDatum(units[calendar->unit].name);
	Datum		time_zone = PointerGetDatum(calendar->time_zone);

	if (!units[calendar->unit].is_local)
		return DatumGetTimestampTz(DirectFunctionCall3(timestamptz_trunc_zone, unit,
													   TimestampTzGetDatum(instant),
													   time_zone));
	return DatumGetTimestamp(DirectFunctionCall2(timestamp_trunc, unit,
												 DirectFunctionCall2(timestamptz_zone, time_zone,
																	 TimestampTzGetDatum(instant))));
}

static TimestampTz
guess_start(const IdemCalendar *calendar, int64 label)
{
	if (!units[calendar->unit].is_local)
		return label;
	return DatumGetTimestampTz(DirectFunctionCall2(timestamp_zone,
												   PointerGetDatum(calendar->time_zone),
												   TimestampGetDatum(label)));
}

static int64
next_label(const IdemCalendar *calendar, int64 label)
{
	return DatumGetTimestamp(DirectFunctionCall2(timestamp_pl_interval,
												 TimestampGetDatum(label),
												 IntervalPGetDatum(&units[calendar->unit].length)));
}

static bool
is_edge(const IdemCalendar *calendar, TimestampTz instant, int64 before, int64 after)
{
	return label_of(calendar, instant - 1) == before && label_of(calendar, instant) == after;
}

/*
 * Between one instant that is inside the window and one that is not: the first
 * one inside, or the first one behind it.
 */
static TimestampTz
search(const IdemCalendar *calendar, TimestampTz outside, TimestampTz inside, int64 label)
{
	bool		is_start = outside < inside;
	TimestampTz low = Min(outside, inside);
	TimestampTz high = Max(outside, inside);

	while (high - low > 1)
	{
		TimestampTz middle = low + (high - low) / 2;

		if ((label_of(calendar, middle) == label) == is_start)
			high = middle;
		else
			low = middle;
	}
	return high;
}

/* further than the window lasts */
static int64
reach(const IdemCalendar *calendar)
{
	const Interval *length = &units[calendar->unit].length;

	return length->month * 31 * USECS_PER_DAY + length->day * USECS_PER_DAY +
		length->time + MAX_CHANGE;
}
