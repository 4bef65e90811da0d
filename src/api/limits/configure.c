/*
 * configure.c
 *		The SQL functions that configure rate limits, and what their tables are
 *		made with: a trigger and an access method.
 */
#include "postgres.h"

#include <math.h>

#include "commands/trigger.h"
#include "fmgr.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/timestamp.h"

#include "api/args.h"
#include "api/limits/args.h"
#include "engine/limits/configure.h"
#include "slots/am.h"

PG_FUNCTION_INFO_V1(idemstore_set_rate_limit_0_3);
PG_FUNCTION_INFO_V1(idemstore_set_adaptive_rate_limit_0_3);
PG_FUNCTION_INFO_V1(idemstore_drop_rate_limit);
PG_FUNCTION_INFO_V1(idemstore_rate_limits_changed);
PG_FUNCTION_INFO_V1(idemstore_slots_handler);

static text *algorithm_arg(PG_FUNCTION_ARGS, int arg);
static Interval period_arg(PG_FUNCTION_ARGS, int arg, const text *algorithm);
static const text *time_zone_arg(PG_FUNCTION_ARGS, int arg, const text *algorithm);
static int64 burst_arg(PG_FUNCTION_ARGS, int arg, const text *algorithm);
static text *policy_arg(PG_FUNCTION_ARGS, int arg);
static void require_sound_settings(const IdemLimitRow *row);

Datum
idemstore_set_rate_limit_0_3(PG_FUNCTION_ARGS)
{
	IdemLimitRow row = {0};

	idem_args_require_writable("set_rate_limit()");
	row.resource = idem_args_long_name(fcinfo, 0, "resource");
	row.quota = idem_args_natural_bigint(fcinfo, 1, "quota");
	row.algorithm = algorithm_arg(fcinfo, 3);
	row.period = period_arg(fcinfo, 2, row.algorithm);
	row.burst = burst_arg(fcinfo, 4, row.algorithm);
	row.policy = policy_arg(fcinfo, 5);
	if (row.policy == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("policy must not be null")));
	row.is_enforced = idem_args_bool(fcinfo, 6, "enforced");
	row.time_zone = time_zone_arg(fcinfo, 7, row.algorithm);
	PG_RETURN_BOOL(idem_limits_configure_set(&row));
}

static text *
algorithm_arg(PG_FUNCTION_ARGS, int arg)
{
	text	   *name = idem_args_name(fcinfo, arg, "algorithm", IDEM_MAX_POLICY_SIZE);
	IdemRateAlgorithm algorithm = idem_limits_policy_algorithm(name);

	if (algorithm == IDEM_RATE_NOTHING || algorithm == IDEM_ADAPTIVE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown algorithm \"%s\"", text_to_cstring(name)),
				 errhint("The algorithms are \"sliding_window\", \"token_bucket\", \"fixed_window\" and \"calendar_window\"; set_adaptive_rate_limit() sets an adaptive limit.")));
	return name;
}

static Interval
period_arg(PG_FUNCTION_ARGS, int arg, const text *algorithm)
{
	if (idem_limits_policy_algorithm(algorithm) != IDEM_CALENDAR_WINDOW)
		return idem_limits_args_period(fcinfo, arg, "per");
	idem_args_require_not_null(fcinfo, arg, "per");
	if (!idem_limits_calendar_is_unit(PG_GETARG_INTERVAL_P(arg)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("per must be a unit of the calendar"),
				 errdetail("Windows of the calendar are 1 minute, 1 hour, 1 day, 7 days, 1 month, 3 months or 1 year."),
				 errhint("Other lengths are for algorithm \"fixed_window\".")));
	return *PG_GETARG_INTERVAL_P(arg);
}

/* NULL where there is none */
static const text *
time_zone_arg(PG_FUNCTION_ARGS, int arg, const text *algorithm)
{
	const text *time_zone;

	if (idem_limits_policy_algorithm(algorithm) != IDEM_CALENDAR_WINDOW)
	{
		if (!PG_ARGISNULL(arg))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("time_zone is for algorithm \"calendar_window\" only")));
		return NULL;
	}
	time_zone = PG_ARGISNULL(arg) ? cstring_to_text(pg_get_timezone_name(session_timezone)) :
		PG_GETARG_TEXT_PP(arg);
	idem_limits_calendar_check(time_zone);
	return time_zone;
}

static int64
burst_arg(PG_FUNCTION_ARGS, int arg, const text *algorithm)
{
	int64		burst;

	if (PG_ARGISNULL(arg))
		return 0;
	burst = idem_args_natural_bigint(fcinfo, arg, "burst");
	if (burst == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("burst must be greater than zero")));
	if (idem_limits_policy_algorithm(algorithm) != IDEM_TOKEN_BUCKET)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("burst is for algorithm \"token_bucket\" only"),
				 errdetail("A window admits its whole quota at once.")));
	return burst;
}

/* NULL for an SQL NULL */
static text *
policy_arg(PG_FUNCTION_ARGS, int arg)
{
	text	   *policy = idem_args_optional_name(fcinfo, arg, "policy", IDEM_MAX_POLICY_SIZE);

	if (policy != NULL && VARSIZE_ANY_EXHDR(policy) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("policy must not be empty")));
	return policy;
}

Datum
idemstore_set_adaptive_rate_limit_0_3(PG_FUNCTION_ARGS)
{
	IdemLimitRow row = {0};

	idem_args_require_writable("set_adaptive_rate_limit()");
	row.resource = idem_args_long_name(fcinfo, 0, "resource");
	row.quota = idem_args_natural_bigint(fcinfo, 1, "quota");
	row.period = idem_limits_args_period(fcinfo, 2, "per");
	row.policy = cstring_to_text(IDEM_DEFAULT_POLICY);
	row.algorithm = cstring_to_text("adaptive");
	row.is_adaptive = true;
	row.monitoring_window = idem_limits_args_period(fcinfo, 3, "monitoring_window");
	row.high_threshold = idem_args_positive_int(fcinfo, 4, "high_activity_threshold");
	row.moderate_threshold = idem_args_positive_int(fcinfo, 5, "moderate_activity_threshold");
	row.recalculation_interval = idem_limits_args_period(fcinfo, 6, "recalculation_interval");
	row.sustained_inactivity = idem_limits_args_period(fcinfo, 7, "sustained_inactivity_threshold");
	row.pauses_background = idem_args_bool(fcinfo, 8, "background_pause_on_increasing_trend");
	row.max_user_scaling = idem_args_float(fcinfo, 9, "max_user_scaling");
	row.min_user_reserved = idem_args_natural_int(fcinfo, 10, "min_user_reserved");
	require_sound_settings(&row);
	row.is_enforced = true;
	PG_RETURN_BOOL(idem_limits_configure_set(&row));
}

static void
require_sound_settings(const IdemLimitRow *row)
{
	if (row->moderate_threshold >= row->high_threshold)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("moderate_activity_threshold must be less than high_activity_threshold"),
				 errdetail("They are %d and %d.", row->moderate_threshold,
						   row->high_threshold)));
	if (!isfinite(row->max_user_scaling) || row->max_user_scaling <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_user_scaling must be finite and greater than zero")));
}

Datum
idemstore_drop_rate_limit(PG_FUNCTION_ARGS)
{
	text	   *resource;

	idem_args_require_writable("drop_rate_limit()");
	resource = idem_args_long_name(fcinfo, 0, "resource");
	PG_RETURN_BOOL(idem_limits_configure_drop(resource, policy_arg(fcinfo, 1)));
}

/* Tell every session, once we commit, that what it keeps is out of date. */
Datum
idemstore_rate_limits_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("rate_limits_changed() must be called as a trigger")));
	CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	PG_RETURN_POINTER(NULL);
}

Datum
idemstore_slots_handler(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(idem_slots_am_routine());
}
