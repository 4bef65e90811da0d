/*
 * configure.h
 *		Changing the configuration of rate limits, by SQL and with its rules:
 *		a change commits with the transaction.
 */
#ifndef IDEM_LIMITS_CONFIGURE_H
#define IDEM_LIMITS_CONFIGURE_H

#include "store/ratelimits.h"

/* Set the policy of the resource.  Raises 54000 when it has too many. */
extern void idem_limits_configure_set(const IdemLimitRow *row);

/* Drop one policy, or all for NULL.  Was there any? */
extern bool idem_limits_configure_drop(const text *resource, const text *policy);

#endif							/* IDEM_LIMITS_CONFIGURE_H */
