/*
 * exact.h
 *		The log that remembers every request: what the sliding log is measured
 *		against.
 */
#ifndef UNIT_EXACT_H
#define UNIT_EXACT_H

#include "unit.h"

#define EXACT_MAX_EVENTS	65536

typedef struct ExactLog
{
	int			first;			/* those before it have been dropped */
	int			end;
	int64		at[EXACT_MAX_EVENTS];
	int64		cost[EXACT_MAX_EVENTS];
} ExactLog;

extern void exact_clear(ExactLog *log);
extern void exact_add(ExactLog *log, int64 at, int64 cost);

/* Drop what came until this instant. */
extern void exact_drop(ExactLog *log, int64 instant);

/* what came after an instant, the oldest first */
extern int64 exact_count(const ExactLog *log, int64 instant);

/*
 * When did the newest request come without which, and all before it, at most
 * so much would be left? PG_INT64_MIN if nothing needs to leave.
 */
extern int64 exact_last_to_leave(const ExactLog *log, int64 most);

/* Move all by one span; nothing is later than now. */
extern void exact_move_back(ExactLog *log, int64 by, int64 now);

/*
 * The unit of a sliding log: the finest power of two that leaves less than
 * 2^32 of them in the window.
 */
extern int64 unit_of(int64 window);

#endif							/* UNIT_EXACT_H */
