/*
 * standing.h
 *		How a record stands at this instant, whoever asks.
 */
#ifndef IDEM_CLAIMS_STANDING_H
#define IDEM_CLAIMS_STANDING_H

#include "store/records.h"

typedef enum IdemStandingKind
{
	IDEM_ABSENT,
	IDEM_EXPIRED,				/* a row that may be reclaimed */
	IDEM_OPEN,					/* another open transaction makes or changes
								 * it */
	IDEM_HELD,					/* the lease is live, or the claim is our own */
	IDEM_LAPSED,				/* the lease is over */
	IDEM_GIVEN_UP,				/* failed retryably: no lease */
	IDEM_FINAL
} IdemStandingKind;

typedef struct IdemStanding
{
	IdemStandingKind kind;
	bool		is_live;		/* is record one that has not expired? */
	bool		is_own;			/* did this very transaction write it? */
	IdemRecord	record;			/* unless absent; points into the table's
								 * slots */
	TransactionId blocker;		/* of IDEM_OPEN */
} IdemStanding;

/* Judge what the last probe of the table found. */
extern void idem_claims_standing_describe(const IdemTable *table, TimestampTz now,
										  IdemStanding *standing);

#endif							/* IDEM_CLAIMS_STANDING_H */
