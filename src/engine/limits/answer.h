/*
 * answer.h
 *		What the limits that hold for a call say of it, together.
 */
#ifndef IDEM_LIMITS_ANSWER_H
#define IDEM_LIMITS_ANSWER_H

#include "engine/limits/work.h"

/* What one policy says, or all of them together. */
typedef struct IdemRateAnswer
{
	const char *policy;			/* NULL for a limit given in the call; kept
								 * until the end of the transaction */
	TimestampTz decided_at;
	IdemRateVerdict verdict;
} IdemRateAnswer;

/*
 * The policy that denied, or else one in the shadow that would have, or else
 * the tightest.
 */
extern void idem_limits_answer_sum(const IdemRateWork *work, IdemRateAnswer *answer);

/* what one of them says */
extern void idem_limits_answer_one(const IdemRateWork *work, int i, IdemRateAnswer *answer);

/* Count the outcome; nothing may be locked. */
extern void idem_limits_answer_count(const IdemRateWork *work);

/* The same for many: how many had which outcome, all zero at first. */
typedef struct IdemRateTally
{
	int64		count[IDEM_RATE_REASONS];
} IdemRateTally;

extern void idem_limits_answer_note(const IdemRateWork *work, IdemRateTally *tally);
extern void idem_limits_answer_count_all(const IdemRateTally *tally);

/* Which is the tighter one?  For qsort, by policy where it is all the same. */
extern int	idem_limits_answer_compare(const void *a, const void *b);

#endif							/* IDEM_LIMITS_ANSWER_H */
