/*
 * ratelimits.h
 *		The tables of rate limits: their configuration, their state, and the
 *		cooldowns.
 */
#ifndef IDEM_STORE_RATELIMITS_H
#define IDEM_STORE_RATELIMITS_H

#include "datatype/timestamp.h"

#include "slots/slots.h"
#include "store/table.h"

/* A row of rate_limits. */
typedef struct IdemLimitRow
{
	const text *resource;		/* a name, or a prefix and an asterisk */
	const text *policy;
	const text *algorithm;
	int64		quota;
	Interval	period;
	int64		burst;			/* 0 for NULL */
	bool		is_adaptive;	/* are the settings below there? */
	Interval	monitoring_window;
	int32		high_threshold;
	int32		moderate_threshold;
	Interval	recalculation_interval;
	Interval	sustained_inactivity;
	bool		pauses_background;
	float8		max_user_scaling;
	int32		min_user_reserved;
} IdemLimitRow;

typedef void (*IdemLimitVisitor) (const IdemLimitRow *row, void *arg);

/*
 * Visit every row that is committed now, or our own, whatever the snapshot of
 * the transaction.  From then on what the visitor made of it is current, until
 * the table changes.
 */
extern void idem_store_ratelimits_visit(IdemLimitVisitor visit, void *arg);
extern bool idem_store_ratelimits_is_current(void);

/* Has the resource more policies than that, committed or not? */
extern bool idem_store_ratelimits_has_more(const text *resource, int most);

/* SQL: set a limit; remove the policies of a resource, or one of them */
extern const char *const idem_store_ratelimits_set_sql;
extern const char *const idem_store_ratelimits_drop_sql;

/* the tables of slots */
extern IdemTableInfo idem_store_ratelimits_state;
extern IdemTableInfo idem_store_ratelimits_cooldowns;

/* Open one of them; close it with idem_slots_close. */
extern void idem_store_ratelimits_open(IdemSlots *slots, IdemTableInfo *info,
									   bool for_writing);

/*
 * Remove what has expired at now from one of them, as idem_slots_sweep does, and
 * say which part of the table this run has looked at, 1 for all of it.
 */
extern int64 idem_store_ratelimits_expire(IdemTableInfo *info, TimestampTz now,
										  int64 max_rows, double *part);

/* The longest chain that the last round of expiry met in it, in pages. */
extern int	idem_store_ratelimits_longest_chain(IdemTableInfo *info);

#endif							/* IDEM_STORE_RATELIMITS_H */
