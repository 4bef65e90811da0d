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
	bool		is_enforced;	/* or in the shadow */
	const IdemRateLimit *limit;
	IdemCalendar *calendar;		/* of a calendar window, else NULL */
	IdemRateLimit window;		/* the limit then, for the window that holds */
	IdemRateState state;
	Size		old_position;	/* of its block in the row that was read */
	Size		old_size;		/* 0 when there was none */
	Size		new_size;
} IdemRateLog;

/* Fill the log's state from the bytes of the row, where it is in them. */
extern void idem_limits_state_read(const char *bytes, Size size, TimestampTz now,
								   IdemRateLog *log);

/* What a row holds, or is to hold. */
typedef struct IdemRateRow
{
	char	   *bytes;			/* of one to be: IDEM_SLOTS_MAX_STATE_SIZE */
	Size		size;
	TimestampTz expires_at;
} IdemRateRow;

/*
 * Make the row anew from these logs, which were read from the old one, and
 * from the other blocks that still mean something, as far as there is room.
 * Logs that take too much become coarser.
 */
extern void idem_limits_state_write(IdemRateLog *logs, int nlogs, const IdemRateRow *old,
									TimestampTz now, IdemRateRow *row);

#endif							/* IDEM_LIMITS_STATE_H */
