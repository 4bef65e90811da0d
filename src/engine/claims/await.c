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
	bool		has_job;		/* is it known which job is waited for? */
	pg_uuid_t	job_id;
	TransactionId blocker;		/* who is in the way */
	int64		lease_us;		/* how long the lease still matters */
} Watch;

static Watch watch_of(const IdemAwait *await);
static IdemView look(Watch *watch, IdemRecord *record);
static void find_job(Watch *watch, const IdemTable *table, TimestampTz now,
					 IdemStanding *standing);
static bool is_awaited(const Watch *watch, const IdemRecord *job);
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
	Watch		watch = watch_of(await);
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
	Watch		watch = watch_of(await);

	return look(&watch, record);
}

static Watch
watch_of(const IdemAwait *await)
{
	Watch		watch = {.await = await, .has_job = await->job_id != NULL};

	if (watch.has_job)
		watch.job_id = *await->job_id;
	return watch;
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
	if (await->is_job)
		find_job(watch, &table, now, &standing);
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
	if (await->is_job && record->lease_expires_at != IDEM_NO_INSTANT)
	{
		watch->lease_us = record->lease_expires_at - now;
		if (watch->lease_us <= 0)
			return IDEM_VIEW_LAPSED;
	}
	return standing.is_own ? IDEM_VIEW_OWN : IDEM_VIEW_PENDING;
}

/*
 * See what there is of the job that is waited for: the result, even when another
 * is about to take its place; else what is about to be, or stands there.  Who
 * does not say which it is waits for the one that he meets first, and, while one
 * is being opened anew, for that.  Another job's result is nobody's answer.
 */
static void
find_job(Watch *watch, const IdemTable *table, TimestampTz now, IdemStanding *standing)
{
	bool		has_pending = idem_store_versions_has_pending(table);
	IdemRecord	pending;

	if (has_pending)
		idem_store_records_read(table, table->pending.slot, &pending);
	if (!watch->has_job)
		watch->job_id = has_pending ? pending.job_id : standing->record.job_id;
	watch->has_job = true;

	if (standing->kind == IDEM_FINAL && is_awaited(watch, &standing->record))
		return;
	if (has_pending && is_awaited(watch, &pending))
	{
		standing->record = pending;
		standing->kind = IDEM_OPEN;
		standing->is_live = idem_store_records_is_live(&pending, now);
		standing->is_own = false;
		standing->blocker = table->pending.open_xid;
	}
	else if (!is_awaited(watch, &standing->record))
		standing->is_live = false;
}

static bool
is_awaited(const Watch *watch, const IdemRecord *job)
{
	return memcmp(&watch->job_id, &job->job_id, sizeof(pg_uuid_t)) == 0;
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
