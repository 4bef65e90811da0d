/*
 * log.h
 *		The sliding log: when requests came, in at most IDEM_MAX_RUNS runs.
 */
#ifndef IDEM_RATEMATH_LOG_H
#define IDEM_RATEMATH_LOG_H

#include "ratemath/types.h"

/* Instants in a log for this window are multiples of 2^shift µs. */
extern int	idem_ratemath_log_shift(int64 window);

extern void idem_ratemath_log_clear(IdemRunLog *log, int64 window);
extern void idem_ratemath_log_copy(IdemRunLog *to, const IdemRunLog *from);

/*
 * Go back with the clock, and change the window.  Is there a change that must
 * be kept even if nothing is added?
 */
extern bool idem_ratemath_log_settle(IdemRunLog *log, int64 window, int64 now);

/* Forget what has left the window, and add a run. */
extern void idem_ratemath_log_append(IdemRunLog *log, int64 now, int64 count);

/*
 * Take as many requests off the oldest runs in the window: newer ones, taken
 * off first, would leave room before what others used has left.
 */
extern bool idem_ratemath_log_refund(IdemRunLog *log, const IdemRateRefund *refund);

/* Add the runs of one log to those of another one for the same window. */
extern void idem_ratemath_log_merge(IdemRunLog *log, const IdemRunLog *other);

/* Make one run of each two, if there are more than IDEM_MIN_RUNS. */
#define IDEM_MIN_RUNS	4
extern void idem_ratemath_log_coarsen(IdemRunLog *log);

/* requests newer than an instant */
extern int64 idem_ratemath_log_count_since(const IdemRunLog *log, int64 instant);

/* requests in the window */
extern int64 idem_ratemath_log_count(const IdemRunLog *log, int64 now);

/*
 * How long until at most so many requests are left in the window? Those of
 * another log for the same window count too, if there is one.
 */
extern int64 idem_ratemath_log_wait(const IdemRunLog *log, const IdemRunLog *other,
									int64 now, int64 most);

/* when the last request leaves the window; PG_INT64_MIN if there is none */
extern int64 idem_ratemath_log_empty_at(const IdemRunLog *log);

/* All three move on to the end of the log's bytes. */
extern char *idem_ratemath_log_encode(const IdemRunLog *log, char *bytes);
extern const char *idem_ratemath_log_decode(IdemRunLog *log, const char *bytes);
extern bool idem_ratemath_log_is_sound(const char **bytes, const char *end);

#endif							/* IDEM_RATEMATH_LOG_H */
