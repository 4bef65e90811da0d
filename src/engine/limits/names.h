/*
 * names.h
 *		The exact names that limits are set for, of which there may be any number:
 *		what a session remembers of them, within bounds.
 */
#ifndef IDEM_LIMITS_NAMES_H
#define IDEM_LIMITS_NAMES_H

#include "engine/limits/policy.h"

typedef struct IdemNames IdemNames;

typedef enum IdemNameAnswer
{
	IDEM_NAME_KNOWN,			/* its policies are these; NULL for none */
	IDEM_NAME_UNKNOWN			/* look for its rows, and add what is found */
} IdemNameAnswer;

/* Nothing is known yet; in a memory context of its own below the current one. */
extern IdemNames *idem_limits_names_begin(void);

extern IdemNameAnswer idem_limits_names_find(const IdemNames *names, const text *name,
											 const IdemPolicies **policies);

/*
 * Learn which names there are around one that has no rows, from a bounded
 * number of blocks.  Is it known now?
 */
extern bool idem_limits_names_learn(IdemNames *names, const text *name);

/* Where the policies that are found are to be put; may forget former ones. */
extern MemoryContext idem_limits_names_context(IdemNames *names);

/*
 * Remember what has been found of a name, NULL for none.  Returns it as it is
 * kept: as long as the memory context that the next call of names_context is
 * made in, or the names.
 */
extern const IdemPolicies *idem_limits_names_add(IdemNames *names, const text *name,
												 IdemPolicies *policies);

#endif							/* IDEM_LIMITS_NAMES_H */
