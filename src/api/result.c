/*
 * result.c
 *		Building the composite results of SQL-callable functions.
 *
 * The types are named ones: their descriptors come from the type cache, where
 * OUT parameters would have theirs built anew for every statement.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "api/result.h"

static Datum form(Oid type, int ncolumns, const Datum *values, const bool *isnull);

Datum
idem_result_composite(PG_FUNCTION_ARGS, int ncolumns, const Datum *values,
					  const bool *isnull)
{
	return form(get_func_rettype(fcinfo->flinfo->fn_oid), ncolumns, values, isnull);
}

Datum
idem_result_record(Oid type, const IdemRecord *record)
{
	Datum		values[IDEM_RECORD_COLUMNS];
	bool		isnull[IDEM_RECORD_COLUMNS];

	idem_store_records_columns(record, values, isnull);
	return form(type, IDEM_RECORD_COLUMNS, values, isnull);
}

static Datum
form(Oid type, int ncolumns, const Datum *values, const bool *isnull)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(type, -1);
	HeapTuple	tuple;

	if (desc->natts != ncolumns)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("type %s has been altered", format_type_be(type)),
				 errdetail("It has %d columns, the extension made it with %d.",
						   desc->natts, ncolumns)));
	tuple = heap_form_tuple(desc, (Datum *) values, (bool *) isnull);
	ReleaseTupleDesc(desc);
	return HeapTupleGetDatum(tuple);
}

void
idem_result_put(Datum *values, bool *isnull, int column, const void *value)
{
	values[column] = PointerGetDatum(value);
	isnull[column] = value == NULL;
}
