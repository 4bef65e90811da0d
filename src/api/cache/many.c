/*
 * many.c
 *		The SQL functions on many entries of the cache.
 *
 * All that write several entries go through them in the order of their keys,
 * so that two of them never wait for each other.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "api/args.h"
#include "api/cache/args.h"
#include "api/duration.h"
#include "api/result.h"
#include "engine/cache/cache.h"

/* the columns of cache_get_many() */
enum
{
	MANY_KEY,
	MANY_VALUE,
	MANY_VALUE_BYTES,
	MANY_COLUMNS
};

PG_FUNCTION_INFO_V1(idemstore_cache_get_many_0_3);
PG_FUNCTION_INFO_V1(idemstore_cache_set_many);
PG_FUNCTION_INFO_V1(idemstore_cache_delete_many);
PG_FUNCTION_INFO_V1(idemstore_cache_clear);
PG_FUNCTION_INFO_V1(idemstore_invalidate_by_tag);
PG_FUNCTION_INFO_V1(idemstore_invalidate_by_tags);

static void decode_items(PG_FUNCTION_ARGS, int arg, int nkeys, Datum **items);

Datum
idemstore_cache_get_many_0_3(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum	   *keys;
	int			n = idem_cache_args_keys(fcinfo, 0, &keys);
	IdemTable	table;
	int			i;

	InitMaterializedSRF(fcinfo, 0);
	idem_store_cache_open(&table, AccessShareLock);
	for (i = 0; i < n; i++)
	{
		struct varlena *value;
		bool		is_json = false;
		Datum		values[MANY_COLUMNS];
		bool		isnull[MANY_COLUMNS] = {false};

		CHECK_FOR_INTERRUPTS();
		value = idem_cache_get_from(&table, DatumGetTextPP(keys[i]), &is_json);
		values[MANY_KEY] = keys[i];
		idem_result_put(values, isnull, MANY_VALUE, is_json ? value : NULL);
		idem_result_put(values, isnull, MANY_VALUE_BYTES, is_json ? NULL : value);
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
		if (value != NULL)
			pfree(value);
	}
	idem_store_table_close(&table);
	return (Datum) 0;
}

/* keys, items, ttl, tags; of a key that comes twice the last item stays */
Datum
idemstore_cache_set_many(PG_FUNCTION_ARGS)
{
	IdemCachePut put = {.is_json = true};
	Datum	   *keys;
	Datum	   *items;
	int		   *order;
	int64		nstored = 0;
	int			n;
	int			i;

	idem_args_require_writable("cache_set_many()");
	n = idem_cache_args_keys(fcinfo, 0, &keys);
	decode_items(fcinfo, 1, n, &items);
	put.ttl = idem_duration_ttl(fcinfo, 2);
	put.tags = idem_cache_args_optional_tags(fcinfo, 3);
	put.keeps_tags = put.tags == NULL;
	order = idem_cache_args_order(keys, n);
	for (i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put.key = DatumGetTextPP(keys[order[i]]);
		put.value = idem_cache_args_check_value(items[order[i]]);
		nstored += idem_cache_put(&put);
	}
	PG_RETURN_INT64(nstored);
}

static void
decode_items(PG_FUNCTION_ARGS, int arg, int nkeys, Datum **items)
{
	int			n;

	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("items must not be null")));
	idem_cache_args_check_array(PG_GETARG_ARRAYTYPE_P(arg), "items", false);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(arg), JSONOID, -1, false, TYPALIGN_INT,
					  items, NULL, &n);
	if (n != nkeys)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("items must have as many elements as keys"),
				 errdetail("They have %d and %d.", n, nkeys)));
}

Datum
idemstore_cache_delete_many(PG_FUNCTION_ARGS)
{
	Datum	   *keys;
	text	  **in_order;
	int		   *order;
	int			n;
	int			i;

	idem_args_require_writable("cache_delete_many()");
	n = idem_cache_args_keys(fcinfo, 0, &keys);
	order = idem_cache_args_order(keys, n);
	in_order = palloc(n * sizeof(text *));
	for (i = 0; i < n; i++)
		in_order[i] = DatumGetTextPP(keys[order[i]]);
	PG_RETURN_INT64(idem_cache_delete_many(in_order, n));
}

Datum
idemstore_cache_clear(PG_FUNCTION_ARGS)
{
	idem_args_require_writable("cache_clear()");
	PG_RETURN_INT64(idem_cache_clear(idem_args_name(fcinfo, 0, "prefix",
													IDEM_MAX_KEY_SIZE)));
}

Datum
idemstore_invalidate_by_tag(PG_FUNCTION_ARGS)
{
	idem_args_require_writable("invalidate_by_tag()");
	PG_RETURN_INT64(idem_cache_invalidate_tags(idem_cache_args_one_tag(fcinfo, 0)));
}

Datum
idemstore_invalidate_by_tags(PG_FUNCTION_ARGS)
{
	idem_args_require_writable("invalidate_by_tags()");
	PG_RETURN_INT64(idem_cache_invalidate_tags(idem_cache_args_any_tags(fcinfo, 0)));
}
