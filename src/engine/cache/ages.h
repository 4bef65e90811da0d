/*
 * ages.h
 *		How much was written when, in a bounded memory.
 */
#ifndef IDEM_CACHE_AGES_H
#define IDEM_CACHE_AGES_H

#include "datatype/timestamp.h"

/* below half of them everything is exact */
#define IDEM_AGES_MOST	16384

/* what was written up to an instant, since that of the one before */
typedef struct IdemAge
{
	TimestampTz at;
	int64		size;
} IdemAge;

typedef struct IdemAges
{
	int			n;
	int64		size;			/* of all */
	IdemAge		ages[IDEM_AGES_MOST];
} IdemAges;

extern void idem_cache_ages_add(IdemAges *ages, TimestampTz at, int64 size);

/*
 * Up to when is to be removed, at least, so that no more than so many bytes stay,
 * of more than that?  *stays: how many do.
 */
extern TimestampTz idem_cache_ages_cut(IdemAges *ages, int64 most, int64 *stays);

#endif							/* IDEM_CACHE_AGES_H */
