/*
 * stats.h
 *		What all have counted, to be looked at.
 */
#ifndef IDEM_CARE_STATS_H
#define IDEM_CARE_STATS_H

#include "engine/common/count.h"

typedef struct IdemStats
{
	bool		is_readable;	/* if not, all else is 0 */
	int64		counts[IDEM_COUNTERS];
	TimestampTz last_expiry[IDEM_STATS_FAMILIES];	/* 0: none */
	TimestampTz reset_at;		/* 0: nothing was ever counted */
} IdemStats;

/*
 * What this backend has counted is in it, if that can be.  Not readable on a
 * standby, unless the table is logged.
 */
extern void idem_care_stats_read(IdemStats *stats);

/*
 * The longest chain that the last sweep met in the state of rate limits, in
 * pages.  0 before that, and on a standby, unless the table is logged.
 */
extern int	idem_care_stats_longest_chain(void);

/* Set all counters to zero.  Was any of them not? */
extern bool idem_care_stats_reset(void);

#endif							/* IDEM_CARE_STATS_H */
