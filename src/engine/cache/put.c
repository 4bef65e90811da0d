/*
 * put.c
 *		Storing a value, or nothing when it could be older than an invalidation.
 *
 * What is stored is written first and judged then (freshness.c), so that whoever
 * invalidates meanwhile either finds it or is found.
 */
#include "postgres.h"

#include "access/subtrans.h"
#include "utils/timestamp.h"

#include "engine/cache/cache.h"
#include "engine/cache/change.h"
#include "engine/cache/entry.h"
#include "engine/cache/freshness.h"
#include "engine/cache/lease.h"
#include "engine/common/count.h"
#include "engine/common/presence.h"

/* a put, what its lease says, and what it found and did */
typedef struct Put
{
	const IdemCachePut *put;
	struct varlena *snapshot;	/* of the lease, NULL without a fence */
	TransactionId waited_for;	/* who wrote the entry meanwhile, if anybody */
	bool		is_unmet;		/* its condition */
	bool		is_refused;
	ArrayType  *tags;			/* that it wrote */
	bool		has_former;
	ItemPointerData former;		/* where that lies, which it replaced */
} Put;

/* what is put back */
typedef struct Restoration
{
	bool		has_former;
	IdemEntry	former;
} Restoration;

static bool put_plain(Put *state);
static bool give_up(const IdemCachePut *put);
static bool put_fenced(Put *state);
static IdemEntryAction put_entry(const IdemEntry *old, TimestampTz now, IdemEntry *new, void *arg);
static bool is_met(const IdemCachePut *put, const IdemEntry *old, TimestampTz now);
static bool is_too_late(const Put *state, const IdemEntry *old);
static bool waits_for_writer(const IdemEntryWriter *writer, void *arg);
static bool waits_under_fence(const IdemEntryWriter *writer, void *arg);
static void take_back(const Put *state);
static IdemEntryAction restore_entry(const IdemEntry *old, TimestampTz now, IdemEntry *new,
									 void *arg);

bool
idem_cache_put(const IdemCachePut *put)
{
	Put			state = {.put = put};
	bool		is_stored = put->has_fence ? put_fenced(&state) : put_plain(&state);

	if (!state.is_unmet)
		idem_count_one(is_stored ? IDEM_COUNT_SET : IDEM_COUNT_REFUSED);
	return is_stored;
}

/* What removes the entry waits for everybody, as cache_delete() does. */
static bool
put_plain(Put *state)
{
	const IdemCachePut *put = state->put;

	if (idem_cache_entry_is_over(&put->ttl))
	{
		idem_cache_change_entry(put->key, put_entry, state);
		return !state->is_unmet;
	}
	if (!idem_cache_change_entry_if(put->key, put_entry, waits_for_writer, state) ||
		state->is_refused)
		return give_up(put);
	if (state->is_unmet)
		return false;
	if (!idem_cache_freshness_is_due(put->key, state->tags))
		return true;
	idem_cache_remove(put->key);
	return false;
}

/*
 * Nothing was written, but the caller may have changed the truth, and the other may
 * roll back.  Who only adds found nothing to remove.
 */
static bool
give_up(const IdemCachePut *put)
{
	if (!put->only_if_absent)
		idem_cache_remove(put->key);
	return false;
}

static bool
put_fenced(Put *state)
{
	const IdemCachePut *put = state->put;

	state->snapshot = idem_cache_lease_end(put->key, put->fence);
	if (state->snapshot == NULL)
		return false;
	idem_presence_show(IDEM_STORES_FENCED);
	if (!idem_cache_change_entry_if(put->key, put_entry, waits_under_fence, state) ||
		state->is_refused)
		return false;
	if (idem_cache_freshness_is_fresh(put->key, state->tags, state->snapshot))
		return true;
	take_back(state);
	return false;
}

static IdemEntryAction
put_entry(const IdemEntry *old, TimestampTz now, IdemEntry *new, void *arg)
{
	Put		   *state = arg;
	const IdemCachePut *put = state->put;

	state->is_unmet = !is_met(put, old, now);
	state->is_refused = !state->is_unmet && is_too_late(state, old);
	if (state->is_unmet || state->is_refused)
		return IDEM_ENTRY_LEAVE;
	new->value = put->value;
	new->is_json = put->is_json;
	new->tags = put->keeps_tags ? idem_cache_entry_kept_tags(old, now) : put->tags;
	new->expires_at = put->keeps_expiry ? old->expires_at :
		idem_cache_entry_expiry(&put->ttl, now);
	state->tags = new->tags;
	state->has_former = old != NULL;
	if (old != NULL)
		state->former = old->row;
	return new->expires_at <= now ? IDEM_ENTRY_REMOVE : IDEM_ENTRY_STORE;
}

static bool
is_met(const IdemCachePut *put, const IdemEntry *old, TimestampTz now)
{
	bool		is_live = idem_cache_entry_is_live(old, now);

	if (put->only_if_absent)
		return !is_live;
	return put->expected == NULL ||
		(is_live && old->is_json && idem_store_records_equal(old->value, put->expected));
}

/*
 * Under a fence, a write of the key since then counts as an invalidation of it;
 * without one, a removal that was waited for before it could be told from a write.
 */
static bool
is_too_late(const Put *state, const IdemEntry *old)
{
	if (old == NULL)
		return false;
	if (state->snapshot != NULL)
		return !idem_cache_freshness_is_visible(old->written_by, state->snapshot);
	return TransactionIdIsValid(state->waited_for) && idem_store_cache_is_trace(old) &&
		TransactionIdEquals(XidFromFullTransactionId(old->written_by), state->waited_for);
}

/* not for who removes the entry */
static bool
waits_for_writer(const IdemEntryWriter *writer, void *arg)
{
	Put		   *state = arg;

	if (writer->new != NULL && idem_store_cache_is_trace(writer->new))
		return false;
	if (writer->new == NULL && idem_cache_freshness_is_due(state->put->key, writer->old->tags))
		return false;
	state->waited_for = SubTransGetTopmostTransaction(writer->xid);
	return true;
}

/* only for who removes what has expired */
static bool
waits_under_fence(const IdemEntryWriter *writer, void *arg)
{
	const Put  *state = arg;

	return writer->new == NULL &&
		idem_cache_freshness_is_fresh(state->put->key, NULL, state->snapshot);
}

/* What stood there may be served as stale yet. */
static void
take_back(const Put *state)
{
	Restoration restoration = {.has_former = state->has_former};

	if (state->has_former)
		idem_store_cache_read_back(&state->former, &restoration.former);
	idem_cache_change_entry(state->put->key, restore_entry, &restoration);
}

static IdemEntryAction
restore_entry(const IdemEntry *old, TimestampTz now, IdemEntry *new, void *arg)
{
	const Restoration *restoration = arg;

	if (!restoration->has_former)
		return IDEM_ENTRY_DROP;
	*new = restoration->former;
	return IDEM_ENTRY_STORE;
}
