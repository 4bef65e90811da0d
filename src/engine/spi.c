/*
 * spi.c
 *		The set operations: one SQL statement, planned and run once.
 */
#include "postgres.h"

#include "utils/snapmgr.h"

#include "engine/spi.h"

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
