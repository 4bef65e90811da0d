/*
 * spi.c
 *		The set operations: one SQL statement, planned and run once.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "engine/common/spi.h"

#define ROWS_AT_ONCE	1000

static bool visit_batch(IdemSpiVisitor visit, void *arg, MemoryContext per_row);

void
idem_spi_execute(const char *statement, int nargs, Oid *types, Datum *values,
				 const char *nulls, int expected)
{
	SPIPlanPtr	plan = SPI_prepare(statement, nargs, types);
	int			status;

	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", statement,
			 SPI_result_code_string(SPI_result));
	status = SPI_execute_snapshot(plan, values, nulls, GetLatestSnapshot(),
								  InvalidSnapshot, false, true, 0);
	if (status != expected)
		elog(ERROR, "could not execute \"%s\": %s", statement,
			 SPI_result_code_string(status));
	SPI_freeplan(plan);
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
	Portal		cursor;

	SPI_connect();
	per_row = AllocSetContextCreate(CurrentMemoryContext, "idemstore row",
									ALLOCSET_DEFAULT_SIZES);
	PushActiveSnapshot(GetLatestSnapshot());
	cursor = SPI_cursor_open_with_args(NULL, query, nargs, types, values, NULL, true, 0);
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
