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

static IdemStandingKind look(const text *key, const text *scope,
							 IdemRecord *record, TransactionId *blocker);
static void require_not_own(const IdemStanding *standing, const text *key);
static void raise_timeout(const text *key);

bool
idem_await_final(const text *key, const text *scope, int64 timeout_us,
				 IdemRecord *record)
{
	IdemWaiter	waiter;
	IdemStandingKind kind;
	TransactionId blocker;

	idem_wait_begin(&waiter, key, scope, timeout_us);
	for (;;)
	{
		kind = look(key, scope, record, &blocker);
		if (kind == IDEM_FINAL || kind == IDEM_ABSENT || kind == IDEM_EXPIRED)
			break;
		if (!idem_wait_sleep(&waiter, blocker, false, PG_INT64_MAX))
			raise_timeout(key);
	}
	idem_wait_end(&waiter);
	return kind == IDEM_FINAL;
}

/* the record is detached, and only set when it is final */
static IdemStandingKind
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
	return standing.kind;
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
