/*
 * userlock.c
 *		Locks on names, in the lock manager.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "common/hashfn.h"
#include "miscadmin.h"

#include "engine/common/userlock.h"

static uint64 hash_text(const text *value, uint64 seed);

void
idem_userlock_set_tag(LOCKTAG *tag, IdemLockClass class, uint64 seed, const text *a,
					  const text *b)
{
	uint64		hash = seed;

	if (b != NULL)
		hash = hash_text(b, hash);
	hash = hash_text(a, hash);
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, (uint32) (hash >> 32), (uint32) hash,
						 class);
	tag->locktag_type = LOCKTAG_USERLOCK;
}

void
idem_userlock_set_flag_tag(LOCKTAG *tag, IdemLockClass class, uint32 number)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, 0, number, class);
	tag->locktag_type = LOCKTAG_USERLOCK;
}

static uint64
hash_text(const text *value, uint64 seed)
{
	return hash_bytes_extended((const unsigned char *) VARDATA_ANY(value),
							   VARSIZE_ANY_EXHDR(value), seed);
}
