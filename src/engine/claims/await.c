/*
 * await.c
 *		Waiting for a record to become final.
 *
 * Sees what others commit while it waits, whatever the isolation level: it
 * never looks through the transaction's snapshot.  The end of a lease does not
 * end the wait, only the end of the record does.
 */
#include "postgres.h"

#include "access/transam.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "engine/claims/await.h"
#include "engine/claims/standing.h"
#include "engine/common/wait.h"
#include "pg/clock.h"
#include "pg/errors.h"
#include "store/idempotency.h"

/* what the looks of one wait have in common, and what the last one found */
typedef struct Watch
{
	const IdemAwait *await;
	bool		has_begun;		/* after the first look */
	bool		has_former;		/* did that find a final record? */
	pg_uuid_t	former;
	TransactionId blocker;		/* who is in the way */
	int64		lease_us;		/* how long the lease still matters */
} Watch;

static IdemView look(Watch *watch, IdemRecord *record);
static bool is_awaited(Watch *watch, const IdemStanding *standing);
static void follow_pending(const IdemTable *table, TimestampTz now,
						   IdemStanding *standing);
static void raise_own(const text *key);
static void raise_timeout(const text *key);

bool
idem_claims_await_final(const text *key, const text *scope, int64 timeout_us,
						IdemRecord *record)
{
	IdemAwait	await = {.family = &idem_store_idempotency, .key = key, .scope = scope};
	IdemView	view = idem_claims_await_end(&await, timeout_us, record);

	if (view == IDEM_VIEW_OWN)
		raise_own(key);
	if (view == IDEM_VIEW_PENDING)
		raise_timeout(key);
	return view == IDEM_VIEW_FINAL;
}

IdemView
idem_claims_await_end(const IdemAwait *await, int64 timeout_us, IdemRecord *record)
{
	Watch		watch = {.await = await};
	IdemWaiter	waiter;
	IdemView	view;

	idem_wait_begin(&waiter, await->family, await->key, await->scope, timeout_us);
	do
		view = look(&watch, record);
	while (view == IDEM_VIEW_PENDING &&
		   idem_wait_sleep(&waiter, watch.blocker, false, watch.lease_us));
	idem_wait_end(&waiter);
	return view;
}

IdemView
idem_claims_await_look(const IdemAwait *await, IdemRecord *record)
{
	Watch		watch = {.await = await};

	return look(&watch, record);
}

static IdemView
look(Watch *watch, IdemRecord *record)
{
	const IdemAwait *await = watch->await;
	IdemKey		key = idem_store_records_key(await->key, await->scope);
	TimestampTz now;
	IdemTable	table;
	IdemStanding standing;

	idem_store_records_open(&table, await->family, AccessShareLock);
	idem_store_versions_find(&table, &key);
	now = idem_clock_now();
	idem_claims_standing_describe(&table, now, &standing);
	if (await->ends_with_lease && !is_awaited(watch, &standing) &&
		idem_store_versions_has_pending(&table))
		follow_pending(&table, now, &standing);
	*record = standing.record;
	if (standing.kind == IDEM_FINAL)
		idem_store_records_detach(record);
	idem_store_table_close(&table);

	watch->blocker = standing.blocker;
	watch->lease_us = PG_INT64_MAX;
	if (!standing.is_live)
		return IDEM_VIEW_GONE;
	if (standing.kind == IDEM_FINAL)
		return IDEM_VIEW_FINAL;
	if (await->ends_with_lease && record->lease_expires_at != IDEM_NO_INSTANT)
	{
		watch->lease_us = record->lease_expires_at - now;
		if (watch->lease_us <= 0)
			return IDEM_VIEW_LAPSED;
	}
	return standing.is_own ? IDEM_VIEW_OWN : IDEM_VIEW_PENDING;
}

/*
 * Has the record become final in the course of this wait?  Then it is the
 * answer, even when it is about to be claimed anew.
 */
static bool
is_awaited(Watch *watch, const IdemStanding *standing)
{
	const pg_uuid_t *job_id = &standing->record.job_id;
	bool		is_final = standing->kind == IDEM_FINAL;

	if (!watch->has_begun && is_final)
	{
		watch->has_former = true;
		watch->former = *job_id;
	}
	watch->has_begun = true;
	return is_final && !(watch->has_former &&
						 memcmp(&watch->former, job_id, sizeof(pg_uuid_t)) == 0);
}

/*
 * Who joins a claim that is about to replace another, lapsed or final, waits
 * for the new one.
 */
static void
follow_pending(const IdemTable *table, TimestampTz now, IdemStanding *standing)
{
	idem_store_records_read(table, table->pending.slot, &standing->record);
	standing->kind = IDEM_OPEN;
	standing->is_live = idem_store_records_is_live(&standing->record, now);
	standing->is_own = false;
	standing->blocker = table->pending.open_xid;
}

static void
raise_own(const text *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_WAIT_TIMEOUT),
			 errmsg("cannot wait for a claim of this transaction"),
			 errdetail("Key \"%.*s\" was claimed here and has not been completed.",
					   (int) VARSIZE_ANY_EXHDR(key), VARDATA_ANY(key)),
			 errhint("Call complete(), fail() or release() first, or wait in another session.")));
}

static void
raise_timeout(const text *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_WAIT_TIMEOUT),
			 errmsg("timed out waiting for the end of a claim"),
			 errdetail("Key \"%.*s\" is still being processed.",
					   (int) VARSIZE_ANY_EXHDR(key), VARDATA_ANY(key)),
			 errhint("Wait again, or look with get().")));
}
