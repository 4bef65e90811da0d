/*
 * value.c
 *		Records as plain values, and forgetting records.
 */
#include "postgres.h"

#include "access/transam.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "engine/claims/change.h"
#include "engine/claims/value.h"
#include "engine/common/count.h"
#include "engine/common/wait.h"
#include "pg/clock.h"
#include "store/blocker.h"
#include "store/idempotency.h"

/* how setting a value goes on */
typedef struct Setting
{
	bool		is_new;			/* was there no live record? */
	TransactionId blocker;		/* who is in the way, or invalid */
} Setting;

static bool try_set(const IdemStart *request, Setting *setting);
static bool replace_base(IdemTable *table, const IdemStart *request, Setting *setting);
static bool insert_value(IdemTable *table, const IdemStart *request);

bool
idem_claims_value_set(const IdemStart *request)
{
	Setting		setting;

	while (!try_set(request, &setting))
	{
		CHECK_FOR_INTERRUPTS();
		if (TransactionIdIsValid(setting.blocker))
			idem_store_blocker_wait(setting.blocker);
	}
	idem_wait_wake(request->family, request->key, request->scope);
	idem_count_one(IDEM_COUNT_VALUE_SET);
	return setting.is_new;
}

/* false when the row moved on, or the blocker is in the way */
static bool
try_set(const IdemStart *request, Setting *setting)
{
	IdemKey		key = idem_store_records_key(request->key, request->scope);
	IdemTable	table;
	bool		is_done = false;

	setting->is_new = true;
	setting->blocker = InvalidTransactionId;
	idem_store_records_open(&table, request->family, RowExclusiveLock);
	idem_store_versions_probe(&table, &key);
	if (idem_store_versions_has_base(&table))
		is_done = replace_base(&table, request, setting);
	else if (idem_store_versions_has_pending(&table))
		setting->blocker = table.pending.open_xid;
	else
		is_done = insert_value(&table, request);
	idem_store_table_close(&table);
	return is_done;
}

/* The exclusive lock is what assert_owner's lock holds off. */
static bool
replace_base(IdemTable *table, const IdemStart *request, Setting *setting)
{
	TimestampTz now;
	IdemRecord	record;

	if (idem_store_tuple_lock(table, &setting->blocker) != IDEM_LOCKED)
		return false;
	idem_store_records_read(table, table->base.slot, &record);
	now = idem_clock_now();
	setting->is_new = !idem_store_records_is_live(&record, now);
	idem_claims_grant_anew(&record, request, now);
	return idem_store_records_update(table, &record);
}

static bool
insert_value(IdemTable *table, const IdemStart *request)
{
	TimestampTz now = idem_clock_now();
	IdemRecord	record = {0};

	idem_claims_grant_anew(&record, request, now);
	return idem_claims_grant_insert(table, &record, now);
}

bool
idem_claims_value_forget(text *key, text *scope)
{
	IdemTarget	target = {.family = &idem_store_idempotency, .key = key, .scope = scope};

	return idem_claims_change_remove(&target);
}

int64
idem_claims_value_forget_scope(text *scope)
{
	IdemRemoved removed = {.family = &idem_store_idempotency};

	idem_store_idempotency_remove_scope(scope, idem_claims_change_note_removed, &removed);
	return removed.nlive;
}
