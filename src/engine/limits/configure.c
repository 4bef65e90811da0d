/*
 * configure.c
 *		Changing the configuration of rate limits.
 *
 * Who changes a resource has it locked for as long as he writes, and writes
 * when no other transaction is changing the same policy any more: he waits for
 * it as UPDATE does, without the lock, and then sees what it has done, whatever
 * his snapshot is.  A statement that met the change would fail under REPEATABLE
 * READ.  No lock is kept to the end of the transaction, which may set any
 * number of limits.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "engine/common/spi.h"
#include "engine/common/userlock.h"
#include "engine/limits/configure.h"
#include "engine/limits/limits.h"
#include "store/blocker.h"
#include "store/limits/changes.h"

#define MAX_PATTERNS	500

static void set_lock(const text *resource, bool is_held);
static void set_lock_on(const text *name, bool is_held);
static IdemLimitStanding wait_for_others(const IdemLimitRow *row);
static void wait_for(TransactionId xid, const text *resource);
static void write_row(const IdemLimitRow *row);
static void require_few(const IdemLimitRow *row);

bool
idem_limits_configure_set(const IdemLimitRow *row)
{
	IdemLimitStanding standing;

	set_lock(row->resource, true);
	standing = wait_for_others(row);
	if (standing != IDEM_LIMIT_STANDS)
		write_row(row);
	if (standing == IDEM_LIMIT_ABSENT)
		require_few(row);
	set_lock(row->resource, false);
	return standing != IDEM_LIMIT_STANDS;
}

/*
 * Take or release the resource, and all patterns together for one of them,
 * since they are counted.
 */
static void
set_lock(const text *resource, bool is_held)
{
	if (idem_store_limits_rows_is_pattern(resource))
		set_lock_on(cstring_to_text("*"), is_held);
	set_lock_on(resource, is_held);
}

static void
set_lock_on(const text *name, bool is_held)
{
	LOCKTAG		tag;

	idem_userlock_set_tag(&tag, IDEM_LOCK_LIMIT, 0, name, NULL);
	if (is_held)
		(void) LockAcquire(&tag, ExclusiveLock, false, false);
	else
		(void) LockRelease(&tag, ExclusiveLock, false);
}

/* The resource is locked, and again after a wait. */
static IdemLimitStanding
wait_for_others(const IdemLimitRow *row)
{
	for (;;)
	{
		TransactionId open_xid;
		IdemLimitStanding standing = idem_store_limits_changes_compare(row, &open_xid);

		if (!TransactionIdIsValid(open_xid))
			return standing;
		wait_for(open_xid, row->resource);
	}
}

static void
wait_for(TransactionId xid, const text *resource)
{
	set_lock(resource, false);
	idem_store_blocker_wait(xid);
	set_lock(resource, true);
}

static void
write_row(const IdemLimitRow *row)
{
	Oid			types[] = {TEXTOID, TEXTOID, TEXTOID, INT8OID, INTERVALOID, INT8OID,
		INTERVALOID, INT4OID, INT4OID, INTERVALOID, INTERVALOID, BOOLOID, FLOAT8OID, INT4OID,
	BOOLOID, TEXTOID};
	Datum		values[lengthof(types)];
	char		nulls[lengthof(types)];
	IdemStatement statement = {idem_store_limits_changes_set_sql, lengthof(types), types,
	values, nulls, SPI_OK_INSERT};

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
	values[14] = BoolGetDatum(row->is_enforced);
	values[15] = PointerGetDatum(row->time_zone);
	memset(nulls, row->is_adaptive ? ' ' : 'n', sizeof(nulls));
	memset(nulls, ' ', 5);
	nulls[5] = row->burst > 0 ? ' ' : 'n';
	nulls[14] = ' ';
	nulls[15] = row->time_zone != NULL ? ' ' : 'n';

	(void) idem_spi_execute(&statement);
}

static void
require_few(const IdemLimitRow *row)
{
	if (idem_store_limits_changes_has_more(row->resource, IDEM_MAX_POLICIES))
		idem_limits_raise_too_many(row->resource);
	if (idem_store_limits_rows_is_pattern(row->resource) &&
		idem_store_limits_changes_has_more_patterns(MAX_PATTERNS))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many patterns"),
				 errdetail("At most %d patterns may have limits; of names without an asterisk at the end there is no bound.",
						   MAX_PATTERNS),
				 errhint("Drop one with drop_rate_limit().")));
}

bool
idem_limits_configure_drop(const text *resource, const text *policy)
{
	Oid			types[] = {TEXTOID, TEXTOID};
	Datum		values[] = {PointerGetDatum(resource), PointerGetDatum(policy)};
	IdemStatement statement = {idem_store_limits_changes_drop_sql, lengthof(types), types,
	values, policy == NULL ? " n" : "  ", SPI_OK_DELETE};
	TransactionId open_xid;
	bool		was_there;

	set_lock(resource, true);
	while (TransactionIdIsValid(open_xid = idem_store_limits_changes_find(resource, policy)))
		wait_for(open_xid, resource);
	was_there = idem_spi_execute(&statement) > 0;
	set_lock(resource, false);
	return was_there;
}
