/*
 * patterns.h
 *		The patterns that limits are set for: few, and all of them in memory.
 */
#ifndef IDEM_LIMITS_PATTERNS_H
#define IDEM_LIMITS_PATTERNS_H

#include "engine/limits/policy.h"

typedef struct IdemPatterns IdemPatterns;

/* All in the current memory context. */
extern IdemPatterns *idem_limits_patterns_begin(void);
extern void idem_limits_patterns_add(IdemPatterns *patterns, const IdemLimitRow *row);
extern void idem_limits_patterns_end(IdemPatterns *patterns);

/* The policies of the longest one that begins the name, or NULL. */
extern const IdemPolicies *idem_limits_patterns_find(const IdemPatterns *patterns,
													 const char *name, int size);

#endif							/* IDEM_LIMITS_PATTERNS_H */
