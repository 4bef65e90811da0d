/*
 * args.c
 *		Decoding the arguments of calls on rate limits.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "api/args.h"
#include "api/limits/args.h"

#define MAX_PERIOD_DAYS	366

void
idem_limits_args_call(PG_FUNCTION_ARGS, IdemRateCall *call, IdemRateLimit *given)
{
	call->resource = idem_args_long_name(fcinfo, 0, "resource");
	call->cost = idem_args_natural_bigint(fcinfo, 1, "cost");
	call->is_user = !PG_ARGISNULL(2) && idem_limits_args_is_user(PG_GETARG_TEXT_PP(2));
	call->origin = NULL;
	call->given = NULL;
	if (!PG_ARGISNULL(3) || !PG_ARGISNULL(4))
		idem_limits_args_given(fcinfo, 3, !PG_ARGISNULL(2), call, given);
}

bool
idem_limits_args_is_user(const text *priority)
{
	char	   *name;

	if (priority == NULL)
		return false;
	name = text_to_cstring(priority);
	if (strcmp(name, "user") == 0)
		return true;
	if (strcmp(name, "background") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown priority \"%s\"", name),
				 errhint("The priorities are \"user\" and \"background\", the default.")));
	return false;
}

void
idem_limits_args_given(PG_FUNCTION_ARGS, int arg, bool has_priority, IdemRateCall *call,
					   IdemRateLimit *given)
{
	Interval	per;

	call->given = NULL;
	if (PG_ARGISNULL(arg) && PG_ARGISNULL(arg + 1))
		return;
	if (PG_ARGISNULL(arg) || PG_ARGISNULL(arg + 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("quota and per must be given together"),
				 errhint("Give both, or neither for the limit that set_rate_limit() has set.")));
	if (has_priority)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("priority must not be given with quota and per"),
				 errdetail("Priorities are for limits that set_adaptive_rate_limit() has set.")));
	given->algorithm = IDEM_SLIDING_WINDOW;
	given->quota = idem_args_natural_bigint(fcinfo, arg, "quota");
	per = idem_limits_args_period(fcinfo, arg + 1, "per");
	given->period = idem_limits_policy_span_us(&per);
	given->burst = given->quota;
	call->given = given;
}

Interval
idem_limits_args_period(PG_FUNCTION_ARGS, int arg, const char *name)
{
	Interval	period = idem_args_fixed_period(fcinfo, arg, name);

	if (idem_limits_policy_span_us(&period) > MAX_PERIOD_DAYS * USECS_PER_DAY)
		idem_args_raise_duration(&period, psprintf("%s must be at most %d days", name,
												   MAX_PERIOD_DAYS));
	return period;
}
