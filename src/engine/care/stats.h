/*
 * stats.h
 *		What all have counted, to be looked at.
 */
#ifndef IDEM_CARE_STATS_H
#define IDEM_CARE_STATS_H

#include "engine/common/count.h"

typedef struct IdemStats
{
	int64		counts[IDEM_COUNTERS];
	TimestampTz last_expiry[IDEM_STATS_FAMILIES];	/* 0: none */
	TimestampTz reset_at;		/* 0: nothing was ever counted */
} IdemStats;

/* What this backend has counted is in it, if that can be. */
extern void idem_care_stats_read(IdemStats *stats);

/* Set all to zero. */
extern void idem_care_stats_reset(void);

#endif							/* IDEM_CARE_STATS_H */
