/*
 * grant.c
 *		What a claim writes into its record.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "engine/claims/grant.h"
#include "pg/clock.h"
#include "store/fences.h"

static void grant(IdemRecord *record, const IdemStart *request, TimestampTz now);
static bool has_newest_fence(IdemTable *table, const IdemKey *key,
							 const IdemRecord *record);
static void renew_fence(IdemTable *table, const IdemKey *key, IdemRecord *record);

void
idem_claims_grant_anew(IdemRecord *record, const IdemStart *request, TimestampTz now)
{
	int64		former_fence = record->fence;

	memset(record, 0, sizeof(IdemRecord));
	record->key = request->key;
	record->scope = request->scope;
	record->fence = former_fence;
	record->created_at = now;
	grant(record, request, now);
	if (request->is_complete)
	{
		record->status = IDEM_COMPLETE;
		record->completed_at = now;
		record->lease_expires_at = IDEM_NO_INSTANT;
		record->response.body = request->value;
	}
}

/* what the former attempt left for the next one is kept */
void
idem_claims_grant_next(IdemRecord *record, const IdemStart *request, TimestampTz now)
{
	memset(&record->response, 0, sizeof(IdemResponse));
	record->error = NULL;
	grant(record, request, now);
}

static void
grant(IdemRecord *record, const IdemStart *request, TimestampTz now)
{
	if (request->fingerprint != NULL)
		record->fingerprint = request->fingerprint;
	if (request->context != NULL)
		record->context = request->context;
	record->owner = request->owner;
	record->job_id = request->job_id;
	record->status = IDEM_PROCESSING;
	if (request->family->has_fence)
		record->fence = idem_store_fences_next(record->fence);
	record->attempt++;
	record->expires_at = idem_clock_add(now, &request->ttl);
	record->lease_expires_at = idem_claims_grant_lease_end(record, request, now);
	record->completed_at = IDEM_NO_INSTANT;
}

TimestampTz
idem_claims_grant_lease_end(const IdemRecord *record, const IdemStart *request,
							TimestampTz now)
{
	return Min(idem_clock_add(now, &request->lease), record->expires_at);
}

/*
 * A record that is expired from the start is absent for everybody: nothing is
 * written, so that nobody is blocked.
 */
bool
idem_claims_grant_insert(IdemTable *table, IdemRecord *record, TimestampTz now)
{
	IdemKey		key = idem_store_records_key(record->key, record->scope);

	if (!idem_store_records_is_live(record, now))
		return !idem_store_versions_find(table, &key) &&
			!idem_store_versions_has_pending(table);
	if (!idem_store_records_insert(table, record))
		return false;
	if (!has_newest_fence(table, &key, record))
		renew_fence(table, &key, record);
	return true;
}

/*
 * Nobody else can claim the key any more, but somebody may have done so, and have
 * released it, between our drawing and our insertion.
 */
static bool
has_newest_fence(IdemTable *table, const IdemKey *key, const IdemRecord *record)
{
	return record->fence == 0 || idem_store_fences_is_last(record->fence) ||
		idem_store_records_newest_fence(table, key) == record->fence;
}

static void
renew_fence(IdemTable *table, const IdemKey *key, IdemRecord *record)
{
	idem_store_versions_probe(table, key);
	record->fence = idem_store_fences_next(record->fence);
	if (!idem_store_records_update(table, record))
		elog(ERROR, "could not update the row that was just inserted");
}
