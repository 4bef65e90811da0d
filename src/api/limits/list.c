/*
 * list.c
 *		The SQL functions that list and clear by the beginnings of names.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "api/args.h"
#include "api/result.h"
#include "engine/limits/list.h"

PG_FUNCTION_INFO_V1(idemstore_rate_limit_clear);
PG_FUNCTION_INFO_V1(idemstore_rate_limit_list);
PG_FUNCTION_INFO_V1(idemstore_cooldown_list);

#define LEFT_COLUMNS		5
#define COOLDOWN_COLUMNS	2

static const text *prefix_arg(PG_FUNCTION_ARGS);
static void put_left(const IdemLimitLeft *left, Datum *values, bool *isnull);

Datum
idemstore_rate_limit_clear(PG_FUNCTION_ARGS)
{
	idem_args_require_writable("rate_limit_clear()");
	PG_RETURN_INT64(idem_limits_list_clear(prefix_arg(fcinfo)));
}

static const text *
prefix_arg(PG_FUNCTION_ARGS)
{
	return idem_args_name(fcinfo, 0, "prefix", IDEM_MAX_KEY_SIZE);
}

/* prefix, max_rows */
Datum
idemstore_rate_limit_list(PG_FUNCTION_ARGS)
{
	static const Oid types[LEFT_COLUMNS] = {TEXTOID, TEXTOID, INT8OID, INT8OID, TIMESTAMPTZOID};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const text *prefix = prefix_arg(fcinfo);
	int32		max_rows = idem_args_natural_int(fcinfo, 1, "max_rows");
	Datum		values[LEFT_COLUMNS];
	bool		isnull[LEFT_COLUMNS];
	IdemLimitLeft *left;
	int			n;
	int			i;

	InitMaterializedSRF(fcinfo, 0);
	idem_result_check(result->setDesc, LEFT_COLUMNS, types);
	left = idem_limits_list_left(prefix, max_rows, &n);
	for (i = 0; i < n; i++)
	{
		put_left(&left[i], values, isnull);
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	return (Datum) 0;
}

static void
put_left(const IdemLimitLeft *left, Datum *values, bool *isnull)
{
	memset(isnull, left->policy == NULL, LEFT_COLUMNS * sizeof(bool));
	isnull[0] = false;
	values[0] = PointerGetDatum(left->resource);
	if (left->policy == NULL)
		return;
	values[1] = CStringGetTextDatum(left->policy);
	values[2] = Int64GetDatum(left->quota);
	values[3] = Int64GetDatum(left->remaining);
	values[4] = TimestampTzGetDatum(left->reset_at);
}

/* prefix, max_rows */
Datum
idemstore_cooldown_list(PG_FUNCTION_ARGS)
{
	static const Oid types[COOLDOWN_COLUMNS] = {TEXTOID, TIMESTAMPTZOID};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const text *prefix = prefix_arg(fcinfo);
	int32		max_rows = idem_args_natural_int(fcinfo, 1, "max_rows");
	bool		isnull[COOLDOWN_COLUMNS] = {false};
	IdemCooldown *cooldowns;
	int			n;
	int			i;

	InitMaterializedSRF(fcinfo, 0);
	idem_result_check(result->setDesc, COOLDOWN_COLUMNS, types);
	cooldowns = idem_limits_list_cooldowns(prefix, max_rows, &n);
	for (i = 0; i < n; i++)
	{
		Datum		values[COOLDOWN_COLUMNS] = {PointerGetDatum(cooldowns[i].origin),
		TimestampTzGetDatum(cooldowns[i].until)};

		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	return (Datum) 0;
}
