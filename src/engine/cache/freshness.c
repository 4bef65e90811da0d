/*
 * freshness.c
 *		Keeping values out of the cache that are older than an invalidation.
 *
 * Nobody locks names: a transaction could fill the lock table, which is
 * everybody's.  The rules that hold instead:
 * - Who invalidates shows that first, then leaves marks, then looks for entries
 *	 with a snapshot taken after that, and waits for the open ones.
 * - Who stores writes the entry first and looks for marks then, open ones too, or
 *	 only when somebody shows that he invalidates if none but open ones matter;
 *	 and takes back what he wrote if one is in his way.
 * - Marks that a crash, or TRUNCATE, took away are why there is an epoch: a
 *	 snapshot that is not wholly after it may miss some, and so may whoever stores
 *	 while a prepared transaction from before it still shows that it removes.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/xid8.h"

#include "engine/cache/freshness.h"
#include "engine/common/presence.h"
#include "pg/xid.h"
#include "store/cache/marks.h"

/* a search for a mark that is in the way */
typedef struct Search
{
	IdemTable	marks;
	struct varlena *snapshot;	/* NULL: open ones are in the way */
	bool		is_clear;
} Search;

static void invalidate(text **names, int n);
static bool has_lost_marks(const IdemPresent *others, int n);
static FullTransactionId oldest_prepared(const IdemPresent *others, int n);
static bool has_open_marks(const text *key, ArrayType *tags);
static bool is_after_epoch(IdemTable *marks, struct varlena *snapshot);
static void look_at_key(Search *search, const text *key);
static void look_at_prefixes(Search *search, const text *key);
static void look_at_tags(Search *search, ArrayType *tags);
static bool judge(const IdemMarked *marked, void *arg);
static int	tag_names(ArrayType *tags, text ***names);

void
idem_cache_freshness_invalidate_tags(ArrayType *tags)
{
	text	  **names;
	int			n = tag_names(tags, &names);

	invalidate(names, n);
}

void
idem_cache_freshness_invalidate_prefix(const text *prefix)
{
	text	   *name = idem_store_cache_marks_name(IDEM_MARK_OF_PREFIX, prefix);

	invalidate(&name, 1);
}

/* The names are sorted, so that two callers never wait for each other. */
static void
invalidate(text **names, int n)
{
	FullTransactionId xid = GetTopFullTransactionId();
	IdemTable	marks;
	int			i;

	idem_presence_show(IDEM_INVALIDATES);
	idem_store_cache_marks_open(&marks, RowExclusiveLock);
	for (i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		idem_store_cache_marks_put(&marks, names[i], xid);
	}
	idem_store_table_close(&marks);
}

/* Mostly nobody removes anything, and this is all that a plain store pays. */
bool
idem_cache_freshness_is_due(const text *key, ArrayType *tags)
{
	IdemPresent *others;
	int			n = idem_presence_find(IDEM_REMOVES, &others);

	return n > 0 && (has_lost_marks(others, n) || has_open_marks(key, tags));
}

static bool
has_lost_marks(const IdemPresent *others, int n)
{
	FullTransactionId oldest = oldest_prepared(others, n);
	FullTransactionId epoch;
	IdemTable	marks;
	bool		has_epoch;

	if (!FullTransactionIdIsValid(oldest))
		return false;
	idem_store_cache_marks_open(&marks, AccessShareLock);
	has_epoch = idem_store_cache_marks_epoch(&marks, &epoch);
	idem_store_table_close(&marks);
	return !has_epoch || FullTransactionIdPrecedes(oldest, epoch);
}

static FullTransactionId
oldest_prepared(const IdemPresent *others, int n)
{
	FullTransactionId result = InvalidFullTransactionId;
	int			i;

	for (i = 0; i < n; i++)
	{
		FullTransactionId xid = idem_xid_widen(others[i].xid);

		if (others[i].is_prepared &&
			(!FullTransactionIdIsValid(result) || FullTransactionIdPrecedes(xid, result)))
			result = xid;
	}
	return result;
}

static bool
has_open_marks(const text *key, ArrayType *tags)
{
	Search		search = {.is_clear = true};
	IdemPresent *others;

	if (idem_presence_find(IDEM_INVALIDATES, &others) == 0)
		return false;
	idem_store_cache_marks_open(&search.marks, AccessShareLock);
	look_at_prefixes(&search, key);
	look_at_tags(&search, tags);
	idem_store_table_close(&search.marks);
	return !search.is_clear;
}

bool
idem_cache_freshness_is_fresh(const text *key, ArrayType *tags, struct varlena *snapshot)
{
	Search		search = {.snapshot = snapshot};

	idem_store_cache_marks_open(&search.marks, AccessShareLock);
	search.is_clear = is_after_epoch(&search.marks, snapshot);
	look_at_key(&search, key);
	look_at_prefixes(&search, key);
	look_at_tags(&search, tags);
	idem_store_table_close(&search.marks);
	return search.is_clear;
}

static bool
is_after_epoch(IdemTable *marks, struct varlena *snapshot)
{
	FullTransactionId epoch;
	FullTransactionId xmin = DatumGetFullTransactionId(DirectFunctionCall1(pg_snapshot_xmin,
																		   PointerGetDatum(snapshot)));

	return idem_store_cache_marks_epoch(marks, &epoch) && FullTransactionIdFollowsOrEquals(xmin, epoch);
}

/* what expiry left of an entry */
static void
look_at_key(Search *search, const text *key)
{
	IdemMarked	marked;

	if (!search->is_clear)
		return;
	idem_store_cache_marks_find(&search->marks, idem_store_cache_marks_name(IDEM_MARK_OF_KEY, key), &marked);
	(void) judge(&marked, search);
}

static void
look_at_prefixes(Search *search, const text *key)
{
	if (search->is_clear)
		idem_store_cache_marks_visit_prefixes(&search->marks, key, judge, search);
}

static void
look_at_tags(Search *search, ArrayType *tags)
{
	text	  **names;
	int			n = tag_names(tags, &names);
	int			i;

	for (i = 0; i < n && search->is_clear; i++)
	{
		IdemMarked	marked;

		idem_store_cache_marks_find(&search->marks, names[i], &marked);
		(void) judge(&marked, search);
	}
}

/* Is the search to go on? */
static bool
judge(const IdemMarked *marked, void *arg)
{
	Search	   *search = arg;

	if (search->snapshot == NULL)
		search->is_clear = !marked->is_open;
	else if (marked->is_there && !idem_cache_freshness_is_visible(marked->xid, search->snapshot))
		search->is_clear = false;
	else if (marked->is_open && !idem_cache_freshness_is_visible(marked->open_xid, search->snapshot))
		search->is_clear = false;
	return search->is_clear;
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
		(*names)[i] = idem_store_cache_marks_name(IDEM_MARK_OF_TAG, DatumGetTextPP(elements[i]));
	return n;
}
