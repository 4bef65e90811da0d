/*
 * state.h
 *		The state of one resource: a block of bytes for each of its logs.
 *
 * A policy's log goes by the policy's name.  Limits that are given in the call
 * have a log for each period, so that two of them on one resource, ten a
 * second and a thousand an hour, do not spoil each other's.
 */
#ifndef IDEM_LIMITS_STATE_H
#define IDEM_LIMITS_STATE_H

#include "datatype/timestamp.h"

#include "engine/limits/limits.h"

/* a limit that holds for a call, and what it knows */
typedef struct IdemRateLog
{
	const char *policy;			/* NULL for a limit given in the call */
	const IdemRateLimit *limit;
	IdemRateState state;
} IdemRateLog;

/* Fill the log's state from the bytes of the row, where it is in them. */
extern void idem_limits_state_read(const char *bytes, Size size, TimestampTz now,
								   IdemRateLog *log);

/*
 * Make the bytes of the row anew from these logs, and from the other blocks
 * that still mean something.  Raises 54000 when they need more than the
 * buffer.  Returns the size.
 */
extern Size idem_limits_state_write(const IdemRateLog *logs, int nlogs,
									const char *old, Size old_size, TimestampTz now,
									char *bytes, Size buffer_size,
									TimestampTz *expires_at);

#endif							/* IDEM_LIMITS_STATE_H */
