/*
 * spi.h
 *		The set operations: one SQL statement, planned and run once.
 */
#ifndef IDEM_COMMON_SPI_H
#define IDEM_COMMON_SPI_H

#include "executor/spi.h"

/*
 * Run a statement, connected to SPI, with the rights of the caller and under a
 * snapshot of this instant: that of a REPEATABLE READ transaction may be too
 * old to change what it sees.  nulls may be NULL.  expected is the SPI_OK_* code it must end with.
 * Everything in it must be schema-qualified.
 */
extern void idem_spi_execute(const char *statement, int nargs, Oid *types,
							 Datum *values, const char *nulls, int expected);

/*
 * Run a DELETE, likewise, of which $1 is an instant and $2 the most
 * rows.  Returns the number of rows.
 */
extern int64 idem_spi_expire(const char *statement, TimestampTz instant, int32 max_rows);

typedef void (*IdemSpiVisitor) (HeapTuple row, TupleDesc desc, void *arg);

/*
 * Visit every row of a query, likewise; not
 * connected to SPI.  The visitor may write what the query reads.
 */
extern void idem_spi_each(const char *query, int nargs, Oid *types, Datum *values,
						  IdemSpiVisitor visit, void *arg);

#endif							/* IDEM_COMMON_SPI_H */
