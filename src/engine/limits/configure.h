/*
 * configure.h
 *		Changing the configuration of rate limits, by SQL and with its rules:
 *		a change commits with the transaction.
 */
#ifndef IDEM_LIMITS_CONFIGURE_H
#define IDEM_LIMITS_CONFIGURE_H

#include "store/limits/rows.h"

/*
 * Set the policy of the resource; one that stands already is not written.  Was
 * it?  Raises 54000 when the resource has too many, or there are too many
 * patterns.
 */
extern bool idem_limits_configure_set(const IdemLimitRow *row);

/* Drop one policy, or all for NULL.  Was there any? */
extern bool idem_limits_configure_drop(const text *resource, const text *policy);

#endif							/* IDEM_LIMITS_CONFIGURE_H */
