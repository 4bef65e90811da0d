/*
 * freshness.c
 *		Keeping values out of the cache that are older than an invalidation.
 *
 * Whoever stores takes the lock of a name shared and without waiting; whoever
 * invalidates takes it exclusively, and scans afterwards under a snapshot
 * taken then.  Both keep it to the end of the transaction.
 *
 * The lock table is everybody's, so a transaction with too many names takes one
 * lock for all of them: MANY_STORED, which all who invalidate take as well, or
 * MANY_INVALIDATED, which all who store take as well.  Neither keeps others out
 * who do the same.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/xid8.h"

#include "engine/cache/freshness.h"
#include "engine/common/userlock.h"
#include "store/cache.h"

/* what a name is the name of; the first byte of a mark's name */
#define OF_KEY		'k'
#define OF_TAG		't'
#define OF_ALL		'*'

/* the locks for too many names; nothing has such a name */
#define MANY_STORED			'+'
#define MANY_INVALIDATED	'-'

/* locks on names that a transaction takes one by one */
#define MAX_LOCKS	256

/* how many this transaction took; those that a savepoint gave back count, too */
static int	nlocks;
static FullTransactionId counted_for;

static void invalidate(text **names, int n);
static void lock_exclusively(text **names, int n);
static bool lock_shared(const text *name);
static bool lock_many(char kind, LOCKMODE lockmode, bool dont_wait);
static bool lock_name(const text *name, LOCKMODE lockmode, bool dont_wait);
static bool has_locks_for(int n);
static text *full_name(char kind, const text *name);
static bool may_store_under(text **names, int n, struct varlena *snapshot);
static int	tag_names(ArrayType *tags, text ***names);

void
idem_cache_freshness_invalidate_key(const text *key)
{
	text	   *name = full_name(OF_KEY, key);

	invalidate(&name, 1);
}

void
idem_cache_freshness_invalidate_keys(text **keys, int n)
{
	text	  **names = palloc(n * sizeof(text *));
	int			i;

	for (i = 0; i < n; i++)
		names[i] = full_name(OF_KEY, keys[i]);
	invalidate(names, n);
}

void
idem_cache_freshness_invalidate_tags(ArrayType *tags)
{
	text	  **names;
	int			n = tag_names(tags, &names);

	invalidate(names, n);
}

void
idem_cache_freshness_invalidate_all(void)
{
	text	   *name = full_name(OF_ALL, NULL);

	invalidate(&name, 1);
}

static void
invalidate(text **names, int n)
{
	FullTransactionId xid = GetTopFullTransactionId();
	IdemTable	marks;
	int			i;

	lock_exclusively(names, n);
	idem_store_cache_open_marks(&marks, RowExclusiveLock);
	for (i = 0; i < n; i++)
	{
		IdemMark	mark = {.name = names[i], .xid = xid};

		CHECK_FOR_INTERRUPTS();
		idem_store_cache_put_mark(&marks, &mark);
	}
	idem_store_table_close(&marks);
}

/* The names are sorted, so that two callers never wait for each other. */
static void
lock_exclusively(text **names, int n)
{
	int			i;

	(void) lock_many(MANY_STORED, RowExclusiveLock, false);
	if (!has_locks_for(n))
	{
		(void) lock_many(MANY_INVALIDATED, RowExclusiveLock, false);
		return;
	}
	for (i = 0; i < n; i++)
		(void) lock_name(names[i], ExclusiveLock, false);
}

/* Never waits.  False while an invalidation of the name is open or due. */
static bool
lock_shared(const text *name)
{
	if (!has_locks_for(1) && lock_many(MANY_STORED, ShareLock, true))
		return true;
	return lock_name(name, ShareLock, true);
}

static bool
lock_many(char kind, LOCKMODE lockmode, bool dont_wait)
{
	return lock_name(full_name(kind, NULL), lockmode, dont_wait);
}

static bool
lock_name(const text *name, LOCKMODE lockmode, bool dont_wait)
{
	LOCKTAG		tag;
	LockAcquireResult result;

	idem_userlock_set_tag(&tag, IDEM_LOCK_CACHE_NAME, 0, name, NULL);
	result = LockAcquire(&tag, lockmode, false, dont_wait);
	if (result == LOCKACQUIRE_OK)
		nlocks++;
	return result != LOCKACQUIRE_NOT_AVAIL;
}

static bool
has_locks_for(int n)
{
	FullTransactionId xid = GetTopFullTransactionId();

	if (!FullTransactionIdEquals(counted_for, xid))
	{
		counted_for = xid;
		nlocks = 0;
	}
	return n <= MAX_LOCKS - nlocks;
}

static text *
full_name(char kind, const text *name)
{
	int			size = name == NULL ? 0 : VARSIZE_ANY_EXHDR(name);
	text	   *result = palloc(VARHDRSZ + 1 + size);

	SET_VARSIZE(result, VARHDRSZ + 1 + size);
	*VARDATA(result) = kind;
	if (size > 0)
		memcpy(VARDATA(result) + 1, VARDATA_ANY(name), size);
	return result;
}

void
idem_cache_freshness_announce_tags(ArrayType *tags)
{
	text	  **names;
	int			n = tag_names(tags, &names);
	int			i;

	(void) lock_many(MANY_INVALIDATED, ShareLock, true);
	for (i = 0; i < n; i++)
		(void) lock_shared(names[i]);
}

bool
idem_cache_freshness_may_store(const text *key, struct varlena *snapshot)
{
	text	   *names[] = {full_name(OF_ALL, NULL), full_name(OF_KEY, key)};

	return may_store_under(names, lengthof(names), snapshot);
}

bool
idem_cache_freshness_may_tag(ArrayType *tags, struct varlena *snapshot)
{
	text	  **names;
	int			n = tag_names(tags, &names);

	return may_store_under(names, n, snapshot);
}

/* With the lock no invalidation of the name is open, but perhaps our own. */
static bool
may_store_under(text **names, int n, struct varlena *snapshot)
{
	IdemTable	marks;
	bool		result = true;
	int			i;

	if (!lock_many(MANY_INVALIDATED, ShareLock, true))
		return false;
	for (i = 0; i < n; i++)
	{
		if (!lock_shared(names[i]))
			return false;
	}
	idem_store_cache_open_marks(&marks, AccessShareLock);
	for (i = 0; i < n && result; i++)
	{
		IdemMark	mark;

		result = !idem_store_cache_find_mark(&marks, names[i], &mark) ||
			idem_cache_freshness_is_visible(mark.xid, snapshot);
	}
	idem_store_table_close(&marks);
	return result;
}

bool
idem_cache_freshness_is_visible(FullTransactionId xid, struct varlena *snapshot)
{
	if (FullTransactionIdEquals(xid, GetTopFullTransactionIdIfAny()))
		return false;
	return DatumGetBool(DirectFunctionCall2(pg_visible_in_snapshot,
											FullTransactionIdGetDatum(xid),
											PointerGetDatum(snapshot)));
}

/* none for NULL */
static int
tag_names(ArrayType *tags, text ***names)
{
	Datum	   *elements;
	int			n;
	int			i;

	if (tags == NULL)
		return 0;
	deconstruct_array(tags, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &n);
	*names = palloc(n * sizeof(text *));
	for (i = 0; i < n; i++)
		(*names)[i] = full_name(OF_TAG, DatumGetTextPP(elements[i]));
	return n;
}
