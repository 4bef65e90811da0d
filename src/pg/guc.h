/*
 * guc.h
 *		The settings of idemstore.
 */
#ifndef IDEM_PG_GUC_H
#define IDEM_PG_GUC_H

#include "datatype/timestamp.h"

/* ten years, with their leap days: no span is longer */
#define IDEM_MAX_SPAN_DAYS	3653

/* the longest lease of a claim or timeout of a job, in seconds */
#define IDEM_MAX_LEASE_S	(31 * SECS_PER_DAY)

extern int	idem_guc_default_ttl;	/* seconds */
extern int	idem_guc_default_lease; /* seconds */
extern int	idem_guc_default_wait;	/* milliseconds */
extern int	idem_guc_default_job_timeout;	/* seconds */
extern int	idem_guc_max_body_size; /* kilobytes */
extern int	idem_guc_cache_max_entry_size;	/* kilobytes */
extern int	idem_guc_cache_max_size;	/* kilobytes, 0 for none */
extern int	idem_guc_cache_keep_stale;	/* seconds */

/* idemstore.test_clock as a timestamp, or NULL when the setting is empty */
extern const TimestampTz *idem_guc_test_clock;

extern void idem_guc_init(void);

#endif							/* IDEM_PG_GUC_H */
