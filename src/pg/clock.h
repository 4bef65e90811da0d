/*
 * clock.h
 *		The clock that leases and expiry follow, and the one that waits follow.
 */
#ifndef IDEM_PG_CLOCK_H
#define IDEM_PG_CLOCK_H

#include "datatype/timestamp.h"

/* "now" for lease, ttl and fence: the server's clock, or idemstore.test_clock */
extern TimestampTz idem_clock_now(void);

/* the server's clock, whatever idemstore.test_clock says */
extern TimestampTz idem_clock_real(void);

/* that as of the last reading, or of the statement: costs nothing */
extern TimestampTz idem_clock_recent(void);

/*
 * now as microseconds since 1970, the unit of fences; at most half of their
 * range, so that they can go on from there
 */
extern int64 idem_clock_unix_us(TimestampTz now);

/*
 * instant + span: a day is 24 hours, months count by the calendar in UTC,
 * whatever the session's TimeZone.  The span must have passed
 * idem_clock_is_bounded.
 */
extern TimestampTz idem_clock_add(TimestampTz instant, const Interval *span);

/* how long a bounded span lasts from now on, in microseconds */
extern int64 idem_clock_length_us(const Interval *span);

/* is the span finite and at most ten years, forwards or backwards? */
extern bool idem_clock_is_bounded(const Interval *span);

/* is the instant at most ten years ahead? */
extern bool idem_clock_is_near(TimestampTz instant);

/* microseconds on a clock that never steps, for the timeouts of waits */
extern int64 idem_clock_monotonic_us(void);

#endif							/* IDEM_PG_CLOCK_H */
