/*
 * grant.h
 *		What a claim writes into its record.
 */
#ifndef IDEM_CLAIMS_GRANT_H
#define IDEM_CLAIMS_GRANT_H

#include "store/records.h"

/* What is asked for. */
typedef struct IdemStart
{
	IdemFamily *family;
	text	   *key;
	text	   *scope;
	text	   *fingerprint;	/* NULL: none */
	text	   *owner;			/* NULL: none */
	struct varlena *context;	/* NULL: none, or that of the former attempt */
	Interval	ttl;			/* both bounded, see idem_clock_is_bounded */
	Interval	lease;
	int64		wait_us;
	bool		takeover;
	bool		unique_fingerprint;
	pg_uuid_t	job_id;			/* of a job: that of the new claim */
	bool		reopens_final;	/* a final record is claimed anew */
	bool		only_if_absent; /* any live record is in progress to this
								 * call, and who has an expired one is waited
								 * for */
	bool		is_complete;	/* the record is final at once, with this
								 * value */
	struct varlena *value;
} IdemStart;

/*
 * Make the record of a request that starts anew, or takes over, with the next
 * fence.  When a row stands there it must be locked: a fence that is drawn while
 * others can still claim the key may be older than theirs.
 */
extern void idem_claims_grant_anew(IdemRecord *record, const IdemStart *request,
								   TimestampTz now);
extern void idem_claims_grant_next(IdemRecord *record, const IdemStart *request,
								   TimestampTz now);

/*
 * Insert such a record; false when there is one by now.  Its fence is the newest
 * of the key even when others have claimed and released it since that was drawn.
 */
extern bool idem_claims_grant_insert(IdemTable *table, IdemRecord *record,
									 TimestampTz now);

/* When does the lease end that is asked for, cut to the end of the record? */
extern TimestampTz idem_claims_grant_lease_end(const IdemRecord *record,
											   const IdemStart *request,
											   TimestampTz now);

#endif							/* IDEM_CLAIMS_GRANT_H */
