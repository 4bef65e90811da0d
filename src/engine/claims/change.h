/*
 * change.h
 *		The frame of every operation on a claim: find the record, check the
 *		fence, decide, write, wake.
 */
#ifndef IDEM_CLAIMS_CHANGE_H
#define IDEM_CLAIMS_CHANGE_H

#include "store/records.h"

/* which record, and by which claim; no fence means whoever owns it */
typedef struct IdemTarget
{
	IdemFamily *family;
	text	   *key;
	text	   *scope;
	bool		has_fence;
	int64		fence;
} IdemTarget;

typedef enum IdemAction
{
	IDEM_NOTHING,
	IDEM_HOLD,					/* lock against takeovers until commit */
	IDEM_UPDATE,
	IDEM_UPDATE_AND_WAKE,
	IDEM_DELETE_AND_WAKE
} IdemAction;

/*
 * Decide over the record as it stands, and change it in place for an update.
 * The record is NULL when there is no live one.  A decision may be asked more
 * than once: when the row was changed between look and write, the frame looks
 * again.
 */
typedef IdemAction (*IdemChange) (const IdemTarget *target, IdemRecord *record,
								  TimestampTz now, void *arg);

/*
 * Returns the action that was done.  Raises ID412 when the fence is not the
 * record's, before it asks for a decision.  Waits for an open takeover of the
 * record as UPDATE does.
 */
extern IdemAction idem_claims_change_record(const IdemTarget *target,
											IdemChange change, void *arg);

/* Remove the record in any state; false when there was no live one. */
extern bool idem_claims_change_remove(const IdemTarget *target);

/* many that are removed at once, and how many of them were live */
typedef struct IdemRemoved
{
	const IdemFamily *family;
	int64		nlive;
} IdemRemoved;

/* Have who waits for a removed record woken, and count it in an IdemRemoved. */
extern void idem_claims_change_note_removed(const IdemRecord *record, void *arg);

/* ID413 above idemstore.max_body_size */
extern void idem_claims_change_require_size(Size size, const char *name);

/* ID404, ID412 and ID425, for decisions */
extern void idem_claims_change_require_record(const IdemTarget *target,
											  const IdemRecord *record);
extern void idem_claims_change_require_lease(const IdemTarget *target,
											 const IdemRecord *record);
extern void idem_claims_change_require_not_final(const IdemTarget *target,
												 const IdemRecord *record);

#endif							/* IDEM_CLAIMS_CHANGE_H */
