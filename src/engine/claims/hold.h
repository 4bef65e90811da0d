/*
 * hold.h
 *		What an owner does while it works.
 */
#ifndef IDEM_CLAIMS_HOLD_H
#define IDEM_CLAIMS_HOLD_H

#include "engine/claims/change.h"

/*
 * All raise ID404 when there is no live record, ID412 when the attempt has
 * been given up, ID425 when the record is final.
 */

/* returns the end of the lease, cut to the end of the record */
extern TimestampTz idem_claims_hold_extend_lease(const IdemTarget *target,
												 const Interval *lease);

/*
 * What the next attempt is given, should this one die.  False when it stood so
 * already.
 */
extern bool idem_claims_hold_checkpoint(const IdemTarget *target, text *recovery_point,
										struct varlena *state);

/* from here to the end of the transaction, nobody can take the claim over */
extern void idem_claims_hold_assert_owner(const IdemTarget *target);

#endif							/* IDEM_CLAIMS_HOLD_H */
