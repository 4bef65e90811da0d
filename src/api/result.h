/*
 * result.h
 *		Building the composite results of SQL-callable functions.
 */
#ifndef IDEM_API_RESULT_H
#define IDEM_API_RESULT_H

#include "fmgr.h"

#include "store/records.h"

/* a value of the named composite type that the running function returns */
extern Datum idem_result_composite(PG_FUNCTION_ARGS, int ncolumns,
								   const Datum *values, const bool *isnull);

/* a value of idemstore.idempotency_record, of the type's OID */
extern Datum idem_result_record(Oid type, const IdemRecord *record);

/* values[i] or NULL, for a pointer where NULL is the SQL NULL */
extern void idem_result_put(Datum *values, bool *isnull, int column,
							const void *value);

#endif							/* IDEM_API_RESULT_H */
