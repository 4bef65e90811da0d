/*
 * work.h
 *		The limits that hold for one call, and what they say.
 *
 * In this order: prepare, lock, decide, record, encode.
 *
 * Limits in the shadow decide and take as if they were enforced, each for
 * itself, but the call goes on.
 */
#ifndef IDEM_LIMITS_WORK_H
#define IDEM_LIMITS_WORK_H

#include "engine/limits/limits.h"
#include "engine/limits/state.h"
#include "slots/slots.h"

typedef struct IdemRateWork
{
	const IdemRateCall *call;
	TimestampTz now;
	TimestampTz cooldown;		/* until when, or in the past */
	int			nlogs;
	IdemRateLog logs[IDEM_MAX_POLICIES];
	IdemRateVerdict verdicts[IDEM_MAX_POLICIES];
	bool		is_allowed;		/* by all that are enforced */
	int			shadow;			/* the limit in the shadow that denies for the
								 * longest time, or -1 */
	bool		must_keep;		/* is there a change even if it is denied? */
	bool		must_keep_always;	/* or even if he only asks? */
} IdemRateWork;

/* Find the limits, and whatever else must be known before the row is locked. */
extern void idem_limits_work_prepare(const IdemRateCall *call, IdemRateWork *work);

/* the same, where policies and cooldown are known; NULL for a given limit */
extern void idem_limits_work_begin(const IdemRateCall *call, const IdemPolicies *policies,
								   TimestampTz cooldown, IdemRateWork *work);

/* Lock the call's row, read the clock, and what the row knows. */
extern void idem_limits_work_lock(IdemSlots *slots, IdemSlot *slot, IdemRateWork *work);
extern void idem_limits_work_lock_hashed(IdemSlots *slots, uint64 hash, IdemSlot *slot,
										 IdemRateWork *work);

/*
 * The latter alone.  False when the clock has left a window of the calendar:
 * unlock, turn, and again.
 */
extern bool idem_limits_work_look_up(const IdemSlot *slot, IdemRateWork *work);

/* the same of a row, NULL for none */
extern bool idem_limits_work_read(const IdemSlotRow *row, IdemRateWork *work);
extern void idem_limits_work_turn(IdemRateWork *work);

extern void idem_limits_work_decide(IdemRateWork *work, int64 cost);

/* Count the request of the call, decided on or not. */
extern void idem_limits_work_record(IdemRateWork *work);
extern void idem_limits_work_force(IdemRateWork *work);

/* Make the row anew. */
extern void idem_limits_work_encode(const IdemSlot *slot, IdemRateWork *work,
									IdemRateRow *row);

#endif							/* IDEM_LIMITS_WORK_H */
