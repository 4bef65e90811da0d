/*
 * duration.h
 *		Durations as arguments, within bounds that catch other units.
 *
 * All raise 22023 for one out of bounds, and 22004 for a NULL that is not
 * allowed.  The number of an argument counts from 0.
 */
#ifndef IDEM_API_DURATION_H
#define IDEM_API_DURATION_H

#include "fmgr.h"
#include "datatype/timestamp.h"

/* a ttl: at most ten years, forwards or backwards; NULL for an SQL NULL */
extern const Interval *idem_duration_optional_ttl(PG_FUNCTION_ARGS, int arg);

/* the same, and not NULL, or else the setting in seconds */
extern Interval idem_duration_ttl(PG_FUNCTION_ARGS, int arg);
extern Interval idem_duration_ttl_or(PG_FUNCTION_ARGS, int arg, int seconds);

/* how long a claim is held: 0 to 31 days, or the setting in seconds */
extern Interval idem_duration_lease_or(PG_FUNCTION_ARGS, int arg, const char *name,
									   int seconds);

/* how long to wait, in microseconds: 0 to a day, or the default */
extern int64 idem_duration_wait_us(PG_FUNCTION_ARGS, int arg, const char *name,
								   int64 default_us);

/* 0 to ten years, and not NULL; in microseconds, or the default */
extern Interval idem_duration_span(PG_FUNCTION_ARGS, int arg, const char *name);
extern int64 idem_duration_span_us(PG_FUNCTION_ARGS, int arg, const char *name,
								   int64 default_us);

#endif							/* IDEM_API_DURATION_H */
