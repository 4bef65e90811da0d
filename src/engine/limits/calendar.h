/*
 * calendar.h
 *		Windows of the calendar: minutes to years as they are in a time zone.
 */
#ifndef IDEM_LIMITS_CALENDAR_H
#define IDEM_LIMITS_CALENDAR_H

#include "datatype/timestamp.h"

/* The windows of a limit, and the last one that was asked for. */
typedef struct IdemCalendar
{
	int			unit;
	const text *time_zone;
	TimestampTz start;
	TimestampTz end;
} IdemCalendar;

/* Is the span one that windows can have: a minute, hour, day, week, month, quarter or year? */
extern bool idem_limits_calendar_is_unit(const Interval *span);

/* Raise 22023 when the server does not know the time zone. */
extern void idem_limits_calendar_check(const text *time_zone);

/* In the current memory context; nothing is asked of the time zone yet. */
extern IdemCalendar *idem_limits_calendar_make(const Interval *span, const text *time_zone);

/*
 * Have the window that holds the instant.  Raises 22023 when the server does
 * not know the time zone.
 */
extern void idem_limits_calendar_turn_to(IdemCalendar *calendar, TimestampTz instant);

extern bool idem_limits_calendar_equal(const IdemCalendar *a, const IdemCalendar *b);

#endif							/* IDEM_LIMITS_CALENDAR_H */
