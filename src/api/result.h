/*
 * result.h
 *		Building the composite results of SQL-callable functions.
 */
#ifndef IDEM_API_RESULT_H
#define IDEM_API_RESULT_H

#include "fmgr.h"

#include "store/records.h"

/*
 * The composite type that a function returns.  Known from the call, since the
 * function may be dropped while it waits.
 */
extern Oid	idem_result_type(FmgrInfo *function);

/*
 * A value of a composite type of the extension, of the columns' types given.
 * Raises 55000 when somebody has altered it.
 */
extern Datum idem_result_composite(Oid type, int ncolumns, const Oid *types,
								   const Datum *values, const bool *isnull);

/* Are these the columns of the type?  Raises 55000 when they are not. */
extern void idem_result_check(TupleDesc desc, int ncolumns, const Oid *types);

/* a value of idemstore.idempotency_record, of the type's OID, as it stands now */
extern Datum idem_result_record(Oid type, const IdemRecord *record, TimestampTz now);

/*
 * A wait of so many microseconds in two columns: in milliseconds, for a timer,
 * and in seconds, rounded up, for a header.
 */
extern void idem_result_put_retry(Datum *values, bool *isnull, int column, int64 us);

/* values[i] or NULL, for a pointer where NULL is the SQL NULL */
extern void idem_result_put(Datum *values, bool *isnull, int column,
							const void *value);

#endif							/* IDEM_API_RESULT_H */
