/*
 * limits.h
 *		The tables of rate limits that are changed in place: their state, and the
 *		cooldowns.
 */
#ifndef IDEM_STORE_LIMITS_LIMITS_H
#define IDEM_STORE_LIMITS_LIMITS_H

#include "datatype/timestamp.h"

#include "slots/slots.h"
#include "store/table.h"

/* the tables of slots */
extern IdemTableInfo idem_store_limits_state;
extern IdemTableInfo idem_store_limits_cooldowns;

/* Open one of them; close it with idem_slots_close. */
extern void idem_store_limits_open(IdemSlots *slots, IdemTableInfo *info,
								   bool for_writing);

/*
 * Remove what has expired at now from one of them, as idem_slots_sweep does, and
 * say which part of the table this run has looked at, 1 for all of it.
 */
extern int64 idem_store_limits_expire(IdemTableInfo *info, TimestampTz now,
									  int64 max_rows, double *part);

/* The longest chain that the last round of expiry met in it, in pages. */
extern int	idem_store_limits_longest_chain(IdemTableInfo *info);

#endif							/* IDEM_STORE_LIMITS_LIMITS_H */
