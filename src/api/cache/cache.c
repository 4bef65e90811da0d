/*
 * cache.c
 *		The SQL functions on one entry of the cache, and on what they depend on.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "api/args.h"
#include "api/cache/args.h"
#include "api/duration.h"
#include "api/result.h"
#include "api/text.h"
#include "engine/cache/cache.h"
#include "engine/cache/freshness.h"
#include "engine/cache/lease.h"
#include "pg/clock.h"

/* the columns of idemstore.cache_fetched */
enum
{
	FETCHED_OUTCOME,
	FETCHED_VALUE,
	FETCHED_FENCE,
	FETCHED_EXPIRES_AT,
	FETCHED_VALUE_BYTES,
	FETCHED_COLUMNS
};

PG_FUNCTION_INFO_V1(idemstore_cache_get);
PG_FUNCTION_INFO_V1(idemstore_cache_get_bytes);
PG_FUNCTION_INFO_V1(idemstore_cache_set);
PG_FUNCTION_INFO_V1(idemstore_cache_set_bytes_0_3);
PG_FUNCTION_INFO_V1(idemstore_cache_add);
PG_FUNCTION_INFO_V1(idemstore_cache_compare_and_set);
PG_FUNCTION_INFO_V1(idemstore_cache_delete);
PG_FUNCTION_INFO_V1(idemstore_cache_touch);
PG_FUNCTION_INFO_V1(idemstore_cache_ttl);
PG_FUNCTION_INFO_V1(idemstore_cache_increment);
PG_FUNCTION_INFO_V1(idemstore_cache_fetch_0_3);

static Datum set(PG_FUNCTION_ARGS, bool is_json);
static Interval lease_arg(PG_FUNCTION_ARGS, int arg);

Datum
idemstore_cache_get(PG_FUNCTION_ARGS)
{
	struct varlena *value = idem_cache_get(idem_args_key(fcinfo, 0), NULL);

	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(value);
}

Datum
idemstore_cache_get_bytes(PG_FUNCTION_ARGS)
{
	bool		is_json;
	struct varlena *value = idem_cache_get(idem_args_key(fcinfo, 0), &is_json);

	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(is_json ? idem_text_to_utf8(value) : value);
}

Datum
idemstore_cache_set(PG_FUNCTION_ARGS)
{
	idem_args_require_writable("cache_set()");
	return set(fcinfo, true);
}

Datum
idemstore_cache_set_bytes_0_3(PG_FUNCTION_ARGS)
{
	idem_args_require_writable("cache_set_bytes()");
	return set(fcinfo, false);
}

/* key, value, ttl, tags, fence; and the bytes, where the value is text */
static Datum
set(PG_FUNCTION_ARGS, bool is_json)
{
	IdemCachePut put = {.is_json = is_json};

	put.key = idem_args_key(fcinfo, 0);
	put.value = is_json ? idem_cache_args_value(fcinfo, 1) :
		idem_cache_args_bytes(fcinfo, 1, 5);
	put.ttl = idem_duration_ttl(fcinfo, 2);
	put.tags = idem_cache_args_optional_tags(fcinfo, 3);
	put.keeps_tags = put.tags == NULL;
	put.has_fence = !PG_ARGISNULL(4);
	put.fence = put.has_fence ? PG_GETARG_INT64(4) : 0;
	PG_RETURN_BOOL(idem_cache_put(&put));
}

/* key, value, ttl, tags */
Datum
idemstore_cache_add(PG_FUNCTION_ARGS)
{
	IdemCachePut put = {.is_json = true, .only_if_absent = true};

	idem_args_require_writable("cache_add()");
	put.key = idem_args_key(fcinfo, 0);
	put.value = idem_cache_args_value(fcinfo, 1);
	put.ttl = idem_duration_ttl(fcinfo, 2);
	put.tags = idem_cache_args_optional_tags(fcinfo, 3);
	PG_RETURN_BOOL(idem_cache_put(&put));
}

/* key, expected, value, ttl, tags */
Datum
idemstore_cache_compare_and_set(PG_FUNCTION_ARGS)
{
	IdemCachePut put = {.is_json = true};

	idem_args_require_writable("cache_compare_and_set()");
	put.key = idem_args_key(fcinfo, 0);
	idem_args_require_not_null(fcinfo, 1, "expected");
	put.expected = PG_GETARG_VARLENA_PP(1);
	put.value = idem_cache_args_value(fcinfo, 2);
	put.keeps_expiry = PG_ARGISNULL(3);
	if (!put.keeps_expiry)
		put.ttl = idem_duration_ttl(fcinfo, 3);
	put.tags = idem_cache_args_optional_tags(fcinfo, 4);
	put.keeps_tags = put.tags == NULL;
	PG_RETURN_BOOL(idem_cache_put(&put));
}

Datum
idemstore_cache_delete(PG_FUNCTION_ARGS)
{
	idem_args_require_writable("cache_delete()");
	PG_RETURN_BOOL(idem_cache_delete(idem_args_key(fcinfo, 0)));
}

Datum
idemstore_cache_touch(PG_FUNCTION_ARGS)
{
	text	   *key;
	Interval	ttl;

	idem_args_require_writable("cache_touch()");
	key = idem_args_key(fcinfo, 0);
	ttl = idem_duration_ttl(fcinfo, 1);
	PG_RETURN_BOOL(idem_cache_touch(key, &ttl));
}

/* 0 for an entry that never expires, as in cache_set() */
Datum
idemstore_cache_ttl(PG_FUNCTION_ARGS)
{
	Interval   *result;
	TimestampTz expires_at;

	if (!idem_cache_expires_at(idem_args_key(fcinfo, 0), &expires_at))
		PG_RETURN_NULL();
	result = palloc0(sizeof(Interval));
	if (expires_at != IDEM_CACHE_NEVER)
		result->time = Max(expires_at - idem_clock_now(), 1);
	PG_RETURN_INTERVAL_P(result);
}

Datum
idemstore_cache_increment(PG_FUNCTION_ARGS)
{
	text	   *key;
	const Interval *ttl;

	idem_args_require_writable("cache_increment()");
	key = idem_args_key(fcinfo, 0);
	ttl = idem_duration_optional_ttl(fcinfo, 2);
	PG_RETURN_INT64(idem_cache_increment(key, idem_args_bigint(fcinfo, 1, "delta"), ttl));
}

Datum
idemstore_cache_fetch_0_3(PG_FUNCTION_ARGS)
{
	static const Oid types[FETCHED_COLUMNS] = {
		TEXTOID, JSONOID, INT8OID, TIMESTAMPTZOID, BYTEAOID
	};
	static const char *const outcomes[] = {
		[IDEM_FETCH_HIT] = "hit",
		[IDEM_FETCH_STALE] = "stale",
		[IDEM_FETCH_COMPUTE] = "compute",
		[IDEM_FETCH_IN_PROGRESS] = "in_progress",
	};
	IdemFetch	fetch;
	IdemFetched fetched;
	Datum		values[FETCHED_COLUMNS];
	bool		isnull[FETCHED_COLUMNS] = {false};

	idem_args_require_writable("cache_fetch()");
	fetch.key = idem_args_key(fcinfo, 0);
	fetch.lease = lease_arg(fcinfo, 1);
	fetch.stale = idem_duration_span(fcinfo, 2, "stale");
	fetch.wait_us = idem_duration_wait_us(fcinfo, 3, "wait", 0);
	idem_cache_lease_fetch(&fetch, &fetched);

	values[FETCHED_OUTCOME] = CStringGetTextDatum(outcomes[fetched.outcome]);
	idem_result_put(values, isnull, FETCHED_VALUE, fetched.is_json ? fetched.value : NULL);
	idem_result_put(values, isnull, FETCHED_VALUE_BYTES, fetched.is_json ? NULL : fetched.value);
	values[FETCHED_FENCE] = Int64GetDatum(fetched.fence);
	isnull[FETCHED_FENCE] = fetched.outcome != IDEM_FETCH_COMPUTE;
	values[FETCHED_EXPIRES_AT] = TimestampTzGetDatum(fetched.expires_at);
	isnull[FETCHED_EXPIRES_AT] = fetched.value == NULL ||
		fetched.expires_at == IDEM_CACHE_NEVER;
	return idem_result_composite(idem_result_type(fcinfo->flinfo),
								 FETCHED_COLUMNS, types, values, isnull);
}

/* bounded, since marks of invalidations must outlive it */
static Interval
lease_arg(PG_FUNCTION_ARGS, int arg)
{
	Interval	lease = idem_args_fixed_period(fcinfo, arg, "lease");

	if (lease.time + lease.day * USECS_PER_DAY > IDEM_MAX_CACHE_LEASE_S * USECS_PER_SEC)
		idem_args_raise_duration(&lease, "lease must be at most 1 hour");
	return lease;
}
