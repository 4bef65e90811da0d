/*
 * change.c
 *		The frame of every operation on a claim.
 *
 * A final record is immutable: repeating what made it final is a success that
 * writes nothing, anything else is an error.  The only way around is
 * set_value, which is not a change of this kind.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "engine/claims/change.h"
#include "engine/common/count.h"
#include "engine/common/wait.h"
#include "pg/clock.h"
#include "pg/errors.h"
#include "pg/guc.h"

static IdemAction look_and_decide(IdemTable *table, const IdemTarget *target,
								  IdemRecord *record, IdemChange change,
								  void *arg);
static void require_fence(const IdemTarget *target, const IdemRecord *record);
static bool act(IdemTable *table, const IdemRecord *record, IdemAction action);
static IdemAction decide_removal(const IdemTarget *target, IdemRecord *record, TimestampTz now,
								 void *arg);
static const text *plain(const text *name);

IdemAction
idem_claims_change_record(const IdemTarget *target, IdemChange change, void *arg)
{
	IdemTable	table;
	IdemRecord	record;
	IdemAction	action;

	idem_store_records_open(&table, target->family, RowExclusiveLock);
	do
	{
		CHECK_FOR_INTERRUPTS();
		action = look_and_decide(&table, target, &record, change, arg);
	} while (!act(&table, &record, action));

	if (action == IDEM_UPDATE_AND_WAKE || action == IDEM_DELETE_AND_WAKE)
		idem_wait_wake(target->family, target->key, target->scope);
	idem_store_table_close(&table);
	return action;
}

static IdemAction
look_and_decide(IdemTable *table, const IdemTarget *target, IdemRecord *record,
				IdemChange change, void *arg)
{
	IdemKey		key = idem_store_records_key(target->key, target->scope);
	TimestampTz now;

	if (!idem_store_versions_find(table, &key))
		return change(target, NULL, idem_clock_now(), arg);
	idem_store_records_read(table, table->base.slot, record);
	now = idem_clock_now();
	if (!idem_store_records_is_live(record, now))
		return change(target, NULL, now, arg);
	require_fence(target, record);
	return change(target, record, now, arg);
}

/* false when the row moved on */
static bool
act(IdemTable *table, const IdemRecord *record, IdemAction action)
{
	switch (action)
	{
		case IDEM_NOTHING:
			return true;
		case IDEM_HOLD:
			return idem_store_tuple_hold(table);
		case IDEM_UPDATE:
		case IDEM_UPDATE_AND_WAKE:
			return idem_store_records_update(table, record);
		case IDEM_DELETE_AND_WAKE:
			return idem_store_tuple_delete(table);
	}
	return true;				/* keep the compiler quiet */
}

bool
idem_claims_change_remove(const IdemTarget *target)
{
	return idem_claims_change_record(target, decide_removal, NULL) != IDEM_NOTHING;
}

static IdemAction
decide_removal(const IdemTarget *target, IdemRecord *record, TimestampTz now, void *arg)
{
	return record == NULL ? IDEM_NOTHING : IDEM_DELETE_AND_WAKE;
}

void
idem_claims_change_note_removed(const IdemRecord *record, void *arg)
{
	IdemRemoved *removed = arg;

	idem_wait_wake(removed->family, plain(record->key), plain(record->scope));
	removed->nlive += idem_store_records_is_live(record, idem_clock_now());
}

/* A long row may have its names compressed, but who waits has not. */
static const text *
plain(const text *name)
{
	return name == NULL ? NULL : DatumGetTextPP(PointerGetDatum(name));
}

void
idem_claims_change_require_record(const IdemTarget *target, const IdemRecord *record)
{
	if (record == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_NO_RECORD),
				 errmsg("no live record for this key"),
				 errdetail("Key \"%.*s\" was never started, was released, or has expired.",
						   (int) VARSIZE_ANY_EXHDR(target->key), VARDATA_ANY(target->key)),
				 errhint("Call start_processing() first, with the same scope and a ttl that outlasts the work.")));
}

static void
require_fence(const IdemTarget *target, const IdemRecord *record)
{
	if (!target->has_fence || target->fence == record->fence)
		return;
	idem_count_error(IDEM_COUNT_LOST);
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_LOST_CLAIM),
			 errmsg("the claim on this key is lost"),
			 errdetail("The call came with fence %lld, the record of key \"%.*s\" has %lld.",
					   (long long) target->fence,
					   (int) VARSIZE_ANY_EXHDR(target->key), VARDATA_ANY(target->key),
					   (long long) record->fence),
			 errhint("Another caller owns the key now: roll back, and do not repeat the work.")));
}

void
idem_claims_change_require_lease(const IdemTarget *target, const IdemRecord *record)
{
	if (record->lease_expires_at == IDEM_NO_INSTANT)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_LOST_CLAIM),
				 errmsg("the claim on this key has been given up"),
				 errdetail("Attempt %d on key \"%.*s\" ended with a retryable failure.",
						   record->attempt,
						   (int) VARSIZE_ANY_EXHDR(target->key), VARDATA_ANY(target->key)),
				 errhint("Call start_processing() to begin the next attempt.")));
}

void
idem_claims_change_require_not_final(const IdemTarget *target, const IdemRecord *record)
{
	if (record->status != IDEM_PROCESSING)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_ALREADY_FINAL),
				 errmsg("the record for this key is final"),
				 errdetail("Key \"%.*s\" %s, and this call would change it.",
						   (int) VARSIZE_ANY_EXHDR(target->key), VARDATA_ANY(target->key),
						   record->status == IDEM_COMPLETE ? "is complete" :
						   "has failed for good"),
				 errhint("Use a new key for new work.")));
}

void
idem_claims_change_require_size(Size size, const char *name)
{
	if (size > (Size) idem_guc_max_body_size * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_TOO_LARGE),
				 errmsg("%s is too large", name),
				 errdetail("It has %zu bytes; at most %d kB are allowed.",
						   size, idem_guc_max_body_size),
				 errhint("Store it elsewhere and keep its address, or raise idemstore.max_body_size.")));
}
