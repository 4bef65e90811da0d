/*
 * spi.c
 *		The set operations: one SQL statement, planned and run once.
 *
 * A statement runs with the rights of the extension's owner.  So its tables are
 * checked for what others may have attached to them, after it has locked them
 * and before it runs.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "engine/common/spi.h"
#include "store/check.h"

#define ROWS_AT_ONCE	1000

static SPIPlanPtr prepare(const char *statement, int nargs, Oid *types);
static void check_tables(SPIPlanPtr plan);
static bool visit_batch(IdemSpiVisitor visit, void *arg, MemoryContext per_row);

void
idem_spi_execute(const char *statement, int nargs, Oid *types, Datum *values,
				 const char *nulls, int expected)
{
	SPIPlanPtr	plan = prepare(statement, nargs, types);
	int			status;

	status = SPI_execute_snapshot(plan, values, nulls, GetLatestSnapshot(),
								  InvalidSnapshot, false, true, 0);
	if (status != expected)
		elog(ERROR, "could not execute \"%s\": %s", statement,
			 SPI_result_code_string(status));
	SPI_freeplan(plan);
}

static SPIPlanPtr
prepare(const char *statement, int nargs, Oid *types)
{
	SPIPlanPtr	plan = SPI_prepare(statement, nargs, types);

	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", statement,
			 SPI_result_code_string(SPI_result));
	check_tables(plan);
	return plan;
}

/* The plan has them locked, so that nobody attaches anything any more. */
static void
check_tables(SPIPlanPtr plan)
{
	ListCell   *source;
	ListCell   *oid;

	foreach(source, SPI_plan_get_plan_sources(plan))
	{
		foreach(oid, ((CachedPlanSource *) lfirst(source))->relationOids)
			idem_store_check_for_sql(lfirst_oid(oid));
	}
}

int64
idem_spi_expire(const char *statement, TimestampTz instant, int32 max_rows)
{
	Oid			types[] = {TIMESTAMPTZOID, INT4OID};
	Datum		values[] = {TimestampTzGetDatum(instant), Int32GetDatum(max_rows)};

	idem_spi_execute(statement, lengthof(types), types, values, NULL, SPI_OK_DELETE);
	return SPI_processed;
}

void
idem_spi_each(const char *query, int nargs, Oid *types, Datum *values,
			  IdemSpiVisitor visit, void *arg)
{
	MemoryContext per_row;
	SPIPlanPtr	plan;
	Portal		cursor;

	SPI_connect();
	plan = prepare(query, nargs, types);
	per_row = AllocSetContextCreate(CurrentMemoryContext, "idemstore row",
									ALLOCSET_DEFAULT_SIZES);
	PushActiveSnapshot(GetLatestSnapshot());
	cursor = SPI_cursor_open(NULL, plan, values, NULL, true);
	PopActiveSnapshot();
	do
		SPI_cursor_fetch(cursor, true, ROWS_AT_ONCE);
	while (visit_batch(visit, arg, per_row));
	SPI_cursor_close(cursor);
	SPI_finish();
}

/* false when there was none */
static bool
visit_batch(IdemSpiVisitor visit, void *arg, MemoryContext per_row)
{
	SPITupleTable *batch = SPI_tuptable;
	uint64		n = SPI_processed;
	MemoryContext caller = MemoryContextSwitchTo(per_row);
	uint64		i;

	for (i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		visit(batch->vals[i], batch->tupdesc, arg);
		MemoryContextReset(per_row);
	}
	MemoryContextSwitchTo(caller);
	SPI_freetuptable(batch);
	return n > 0;
}
