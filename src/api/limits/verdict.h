/*
 * verdict.h
 *		The columns of idemstore.rate_limit_verdict.
 */
#ifndef IDEM_API_LIMITS_VERDICT_H
#define IDEM_API_LIMITS_VERDICT_H

#include "engine/limits/answer.h"

#define IDEM_VERDICT_COLUMNS	9

extern const Oid idem_limits_verdict_types[IDEM_VERDICT_COLUMNS];

extern void idem_limits_verdict_put(const IdemRateAnswer *answer, Datum *values, bool *isnull);

#endif							/* IDEM_API_LIMITS_VERDICT_H */
