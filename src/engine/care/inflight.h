/*
 * inflight.h
 *		Who is at work: claims, jobs and leases, uncommitted ones included.
 */
#ifndef IDEM_CARE_INFLIGHT_H
#define IDEM_CARE_INFLIGHT_H

#include "engine/common/count.h"
#include "store/records.h"

typedef enum IdemInFlightState
{
	IDEM_IN_FLIGHT_OPEN,		/* the transaction that claims or changes it
								 * is open */
	IDEM_IN_FLIGHT_CLAIMED,		/* committed, and its lease runs */
	IDEM_IN_FLIGHT_ABANDONED	/* committed, and its lease is over */
} IdemInFlightState;

typedef struct IdemInFlight
{
	IdemStatsFamily family;
	IdemInFlightState state;
	IdemRecord	record;			/* valid during the report */
	TimestampTz now;
	int			owner_pid;		/* of open ones; 0: nobody's, or unknown */
} IdemInFlight;

typedef void (*IdemInFlightReport) (const IdemInFlight *claim, void *arg);

/*
 * Report each.  Waits for nobody, writes nothing.  On a standby, only those in
 * logged tables.
 */
extern void idem_care_inflight_list(IdemInFlightReport report, void *arg);

/*
 * As list, of what has this name, without reading a table.  Jobs and leases have
 * the empty scope.
 */
extern void idem_care_inflight_find(const text *key, const text *scope,
									IdemInFlightReport report, void *arg);

#endif							/* IDEM_CARE_INFLIGHT_H */
