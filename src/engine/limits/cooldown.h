/*
 * cooldown.h
 *		Origins that are to be left alone until an instant.
 *
 * Like rate limits, cooldowns outlive ROLLBACK and are seen by all at once.
 */
#ifndef IDEM_LIMITS_COOLDOWN_H
#define IDEM_LIMITS_COOLDOWN_H

#include "datatype/timestamp.h"

/*
 * The last one set wins, even if it is shorter; one that is over is none.  Does
 * that change anything?
 */
extern bool idem_limits_cooldown_set(const text *origin, TimestampTz until);

/* Is there one that is not over? */
extern bool idem_limits_cooldown_get(const text *origin, TimestampTz *until);

/* as get, and remove it */
extern bool idem_limits_cooldown_clear(const text *origin);

#endif							/* IDEM_LIMITS_COOLDOWN_H */
