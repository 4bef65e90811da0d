/*
 * list.h
 *		What rate limits remember, and cooldowns, by the beginnings of names.
 *
 * Names are read one after the other, none locked for longer than a look: what
 * comes or goes meanwhile may be there or not.
 */
#ifndef IDEM_LIMITS_LIST_H
#define IDEM_LIMITS_LIST_H

#include "datatype/timestamp.h"

/* What one policy has left; of a name whose limit came with the call, the name. */
typedef struct IdemLimitLeft
{
	const text *resource;
	const char *policy;			/* NULL, and nothing below, for such a name */
	int64		quota;
	int64		remaining;
	TimestampTz reset_at;
} IdemLimitLeft;

/* At most so many, the least remaining first, in the current memory context. */
extern IdemLimitLeft *idem_limits_list_left(const text *prefix, int max_rows, int *nrows);

typedef struct IdemCooldown
{
	const text *origin;
	TimestampTz until;
} IdemCooldown;

/* At most so many, those that last longest first. */
extern IdemCooldown *idem_limits_list_cooldowns(const text *prefix, int max_rows, int *nrows);

/* Forget the requests on all names with the prefix.  On how many were there any? */
extern int64 idem_limits_list_clear(const text *prefix);

#endif							/* IDEM_LIMITS_LIST_H */
