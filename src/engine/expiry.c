/*
 * expiry.c
 *		Removing what has expired, one statement a relation.
 *
 * A row is locked before it is removed, and locked rows are skipped: whoever
 * holds a lock on an expired row is reclaiming it.  The condition is checked
 * again after the lock, on the newest version, which is what FOR UPDATE does.
 *
 * A table that expires registers itself by its line in the list.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "engine/expiry.h"
#include "engine/spi.h"
#include "pg/clock.h"
#include "store/idempotency.h"
#include "store/jobs.h"
#include "store/ratelimits.h"
#include "store/slots_am.h"

typedef struct ExpirySource
{
	const char *relation;
	const char *remove;			/* $1: now, $2: the most rows to remove */
	IdemTableInfo *slots;		/* or rows that are changed in place */
} ExpirySource;

static const ExpirySource sources[] = {
	{"idempotency_records", idem_store_idempotency_expire_sql, NULL},
	{"dedupe_jobs", idem_store_jobs_expire_sql, NULL},
	{"rate_limit_state", NULL, &idem_store_ratelimits_state},
	{"cooldowns", NULL, &idem_store_ratelimits_cooldowns},
};

static int64 remove_expired(const ExpirySource *source, int32 max_rows);

void
idem_expiry_run(int32 max_rows, IdemExpiryReport report, void *arg)
{
	int			i;

	SPI_connect();
	for (i = 0; i < lengthof(sources); i++)
		report(sources[i].relation, remove_expired(&sources[i], max_rows), arg);
	SPI_finish();
}

static int64
remove_expired(const ExpirySource *source, int32 max_rows)
{
	Oid			types[] = {TIMESTAMPTZOID, INT4OID};
	Datum		values[] = {TimestampTzGetDatum(idem_clock_now()),
	Int32GetDatum(max_rows)};

	CHECK_FOR_INTERRUPTS();
	if (source->slots != NULL)
		return idem_store_slots_expire(source->slots, idem_clock_now(), max_rows);
	idem_spi_execute(source->remove, lengthof(types), types, values, NULL, SPI_OK_DELETE);
	return SPI_processed;
}
