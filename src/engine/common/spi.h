/*
 * spi.h
 *		Changing a table by one SQL statement.
 */
#ifndef IDEM_COMMON_SPI_H
#define IDEM_COMMON_SPI_H

#include "executor/spi.h"

/* Everything in it must be schema-qualified. */
typedef struct IdemStatement
{
	const char *sql;
	int			nargs;
	Oid		   *types;
	Datum	   *values;
	const char *nulls;			/* as SPI wants them; NULL: none is */
	int			expected;		/* the SPI_OK_* code it must end with */
} IdemStatement;

/*
 * Run it with the rights of the caller and under a snapshot of this instant:
 * that of a REPEATABLE READ transaction may be too old to change what it sees.
 * Returns the number of rows.
 */
extern uint64 idem_spi_execute(const IdemStatement *statement);

#endif							/* IDEM_COMMON_SPI_H */
