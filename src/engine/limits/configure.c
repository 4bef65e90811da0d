/*
 * configure.c
 *		Changing the configuration of rate limits.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "engine/common/spi.h"
#include "engine/common/userlock.h"
#include "engine/limits/configure.h"
#include "engine/limits/limits.h"

static void lock_policy(const text *resource, const text *policy);

void
idem_limits_configure_set(const IdemLimitRow *row)
{
	Oid			types[] = {TEXTOID, TEXTOID, TEXTOID, INT8OID, INTERVALOID, INT8OID,
	INTERVALOID, INT4OID, INT4OID, INTERVALOID, INTERVALOID, BOOLOID, FLOAT8OID, INT4OID};
	Datum		values[lengthof(types)];
	char		nulls[lengthof(types)];

	values[0] = PointerGetDatum(row->resource);
	values[1] = PointerGetDatum(row->policy);
	values[2] = PointerGetDatum(row->algorithm);
	values[3] = Int64GetDatum(row->quota);
	values[4] = IntervalPGetDatum(&row->period);
	values[5] = Int64GetDatum(row->burst);
	values[6] = IntervalPGetDatum(&row->monitoring_window);
	values[7] = Int32GetDatum(row->high_threshold);
	values[8] = Int32GetDatum(row->moderate_threshold);
	values[9] = IntervalPGetDatum(&row->recalculation_interval);
	values[10] = IntervalPGetDatum(&row->sustained_inactivity);
	values[11] = BoolGetDatum(row->pauses_background);
	values[12] = Float8GetDatum(row->max_user_scaling);
	values[13] = Int32GetDatum(row->min_user_reserved);
	memset(nulls, row->is_adaptive ? ' ' : 'n', sizeof(nulls));
	memset(nulls, ' ', 5);
	nulls[5] = row->burst > 0 ? ' ' : 'n';

	lock_policy(row->resource, row->policy);
	SPI_connect();
	idem_spi_execute(idem_store_ratelimits_set_sql, lengthof(types), types, values,
					 nulls, SPI_OK_INSERT);
	SPI_finish();
	if (idem_store_ratelimits_has_more(row->resource, IDEM_MAX_POLICIES))
		idem_limits_raise_too_many(text_to_cstring(row->resource));
}

/*
 * Whoever changes the same limit waits here, and then sees what the other has
 * done, whatever its snapshot is: a statement that met the change would fail
 * under REPEATABLE READ.
 */
static void
lock_policy(const text *resource, const text *policy)
{
	LOCKTAG		tag;

	idem_userlock_set_tag(&tag, IDEM_LOCK_LIMIT, 0, resource, NULL);
	(void) LockAcquire(&tag, policy == NULL ? ExclusiveLock : ShareLock, false, false);
	if (policy == NULL)
		return;
	idem_userlock_set_tag(&tag, IDEM_LOCK_LIMIT, 0, resource, policy);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

bool
idem_limits_configure_drop(const text *resource, const text *policy)
{
	Oid			types[] = {TEXTOID, TEXTOID};
	Datum		values[] = {PointerGetDatum(resource), PointerGetDatum(policy)};
	const char *nulls = policy == NULL ? " n" : "  ";
	bool		was_there;

	lock_policy(resource, policy);
	SPI_connect();
	idem_spi_execute(idem_store_ratelimits_drop_sql, lengthof(types), types, values,
					 nulls, SPI_OK_DELETE);
	was_there = SPI_processed > 0;
	SPI_finish();
	return was_there;
}
