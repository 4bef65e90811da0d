/*
 * cooldown.c
 *		The SQL functions for cooldowns.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/timestamp.h"

#include "api/args.h"
#include "engine/limits/cooldown.h"

PG_FUNCTION_INFO_V1(idemstore_set_cooldown_0_3);
PG_FUNCTION_INFO_V1(idemstore_get_cooldown);
PG_FUNCTION_INFO_V1(idemstore_clear_cooldown);

Datum
idemstore_set_cooldown_0_3(PG_FUNCTION_ARGS)
{
	text	   *origin;

	idem_args_require_writable("set_cooldown()");
	origin = idem_args_long_name(fcinfo, 0, "origin");
	PG_RETURN_BOOL(idem_limits_cooldown_set(origin, idem_args_instant(fcinfo, 1, "until")));
}

Datum
idemstore_get_cooldown(PG_FUNCTION_ARGS)
{
	TimestampTz until;

	if (!idem_limits_cooldown_get(idem_args_long_name(fcinfo, 0, "origin"), &until))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(until);
}

Datum
idemstore_clear_cooldown(PG_FUNCTION_ARGS)
{
	idem_args_require_writable("clear_cooldown()");
	PG_RETURN_BOOL(idem_limits_cooldown_clear(idem_args_long_name(fcinfo, 0, "origin")));
}
