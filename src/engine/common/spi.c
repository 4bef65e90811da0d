/*
 * spi.c
 *		Changing a table by one SQL statement, planned and run once.
 *
 * A statement runs with the rights of the extension's owner.  So its tables are
 * checked for what others may have attached to them, after it has locked them
 * and before it runs.
 */
#include "postgres.h"

#include "utils/plancache.h"
#include "utils/snapmgr.h"

#include "engine/common/spi.h"
#include "store/check.h"

static SPIPlanPtr prepare(const IdemStatement *statement);
static void check_tables(SPIPlanPtr plan);

uint64
idem_spi_execute(const IdemStatement *statement)
{
	SPIPlanPtr	plan;
	uint64		nrows;
	int			status;

	SPI_connect();
	plan = prepare(statement);
	status = SPI_execute_snapshot(plan, statement->values, statement->nulls,
								  GetLatestSnapshot(), InvalidSnapshot, false, true, 0);
	if (status != statement->expected)
		elog(ERROR, "could not execute \"%s\": %s", statement->sql,
			 SPI_result_code_string(status));
	nrows = SPI_processed;
	SPI_finish();
	return nrows;
}

static SPIPlanPtr
prepare(const IdemStatement *statement)
{
	SPIPlanPtr	plan = SPI_prepare(statement->sql, statement->nargs, statement->types);

	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", statement->sql,
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
