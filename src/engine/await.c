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

#include "engine/await.h"
#include "engine/standing.h"
#include "engine/wait.h"
#include "pg/clock.h"
#include "pg/errors.h"

typedef enum View
{
	GONE,
	FINAL,
	PENDING
} View;

static View look(const text *key, const text *scope, IdemRecord *record,
				 TransactionId *blocker);
static void require_not_own(const IdemStanding *standing, const text *key);
static void raise_timeout(const text *key);

bool
idem_await_final(const text *key, const text *scope, int64 timeout_us,
				 IdemRecord *record)
{
	IdemWaiter	waiter;
	TransactionId blocker;
	View		view;

	idem_wait_begin(&waiter, key, scope, timeout_us);
	while ((view = look(key, scope, record, &blocker)) == PENDING)
	{
		if (!idem_wait_sleep(&waiter, blocker, false, PG_INT64_MAX))
			raise_timeout(key);
	}
	idem_wait_end(&waiter);
	return view == FINAL;
}

/* sets the record, detached, when it is final, and else who is in the way */
static View
look(const text *key, const text *scope, IdemRecord *record,
	 TransactionId *blocker)
{
	IdemKey		record_key = idem_store_records_key(key, scope);
	IdemTable	table;
	IdemStanding standing;

	idem_store_records_open(&table, AccessShareLock);
	idem_store_versions_find(&table, &record_key);
	idem_standing_describe(&table, idem_clock_now(), &standing);
	if (standing.kind == IDEM_FINAL)
	{
		*record = standing.record;
		idem_store_records_detach(record);
	}
	idem_store_table_close(&table);

	require_not_own(&standing, key);
	*blocker = standing.blocker;
	if (!standing.is_live)
		return GONE;
	return standing.kind == IDEM_FINAL ? FINAL : PENDING;
}

static void
require_not_own(const IdemStanding *standing, const text *key)
{
	if (standing->is_own)
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
			 errmsg("timed out waiting for key \"%.*s\"",
					(int) VARSIZE_ANY_EXHDR(key), VARDATA_ANY(key)),
			 errhint("The record is still being processed; wait again, or look with get().")));
}
