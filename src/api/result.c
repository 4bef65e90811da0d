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
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "api/result.h"
#include "store/idempotency.h"

static bool has_types(TupleDesc desc, int ncolumns, const Oid *types);

/* a call through the fast path of the protocol has no expression */
Oid
idem_result_type(FmgrInfo *function)
{
	Oid			type = get_fn_expr_rettype(function);

	return OidIsValid(type) ? type : get_func_rettype(function->fn_oid);
}

Datum
idem_result_record(Oid type, const IdemRecord *record, TimestampTz now)
{
	Datum		values[IDEM_IDEMPOTENCY_COLUMNS];
	bool		isnull[IDEM_IDEMPOTENCY_COLUMNS];
	Oid			types[IDEM_IDEMPOTENCY_COLUMNS];

	idem_store_idempotency_view(record, now, values, isnull);
	idem_store_idempotency_types(types);
	return idem_result_composite(type, IDEM_IDEMPOTENCY_COLUMNS, types, values, isnull);
}

Datum
idem_result_composite(Oid type, int ncolumns, const Oid *types,
					  const Datum *values, const bool *isnull)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(type, -1);
	HeapTuple	tuple;

	idem_result_check(desc, ncolumns, types);
	tuple = heap_form_tuple(desc, (Datum *) values, (bool *) isnull);
	ReleaseTupleDesc(desc);
	return HeapTupleGetDatum(tuple);
}

void
idem_result_check(TupleDesc desc, int ncolumns, const Oid *types)
{
	if (!has_types(desc, ncolumns, types))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot use type %s as it is now",
						format_type_be(desc->tdtypeid)),
				 errdetail("The type has other columns than the extension made."),
				 errhint("If the library is newer than the extension, run ALTER EXTENSION idemstore UPDATE. Otherwise undo the change.")));
}

static bool
has_types(TupleDesc desc, int ncolumns, const Oid *types)
{
	int			i;

	if (desc->natts != ncolumns)
		return false;
	for (i = 0; i < ncolumns; i++)
	{
		if (TupleDescAttr(desc, i)->atttypid != types[i])
			return false;
	}
	return true;
}

void
idem_result_put(Datum *values, bool *isnull, int column, const void *value)
{
	values[column] = PointerGetDatum(value);
	isnull[column] = value == NULL;
}

void
idem_result_put_retry(Datum *values, bool *isnull, int column, int64 us)
{
	int64		seconds = us / USECS_PER_SEC + (us % USECS_PER_SEC > 0);

	values[column] = Float8GetDatum(us / 1000.0);
	values[column + 1] = Int32GetDatum((int32) Min(seconds, PG_INT32_MAX));
	isnull[column] = isnull[column + 1] = false;
}
