/*
 * policy.c
 *		What is configured for one name, in the form that the arithmetic needs.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "engine/limits/policy.h"
#include "pg/guc.h"

static const struct
{
	const char *name;
	IdemRateAlgorithm algorithm;
}			algorithms[] =

{
	{"sliding_window", IDEM_SLIDING_WINDOW},
	{"token_bucket", IDEM_TOKEN_BUCKET},
	{"fixed_window", IDEM_FIXED_WINDOW},
	{"adaptive", IDEM_ADAPTIVE},
	{"calendar_window", IDEM_CALENDAR_WINDOW},
};

static bool is_sound(const IdemLimitRow *row);
static bool is_span(const Interval *span);
static const char *name_of(const text *policy);
static IdemCalendar *calendar_of(const IdemLimitRow *row);
static void describe(const IdemLimitRow *row, IdemRateLimit *limit);

IdemPolicies *
idem_limits_policy_add(IdemPolicies *policies, const IdemLimitRow *row)
{
	IdemPolicy	policy;

	if (!is_sound(row))
		return policies;
	policy.name = name_of(row->policy);
	policy.is_enforced = row->is_enforced;
	policy.calendar = calendar_of(row);
	describe(row, &policy.limit);
	return idem_limits_policy_append(policies, &policy);
}

IdemPolicies *
idem_limits_policy_append(IdemPolicies *policies, const IdemPolicy *policy)
{
	int			count = policies == NULL ? 0 : policies->count;
	Size		size = offsetof(IdemPolicies, policy) + (count + 1) * sizeof(IdemPolicy);

	if (count > IDEM_MAX_POLICIES)
		return policies;
	policies = policies == NULL ? palloc(size) : repalloc(policies, size);
	policies->policy[count] = *policy;
	policies->count = count + 1;
	return policies;
}

void
idem_limits_policy_turn_to(const IdemPolicies *policies, TimestampTz instant)
{
	int			i;

	for (i = 0; i < policies->count; i++)
	{
		if (policies->policy[i].calendar != NULL)
			idem_limits_calendar_turn_to(policies->policy[i].calendar, instant);
	}
}

bool
idem_limits_policy_equal(const IdemPolicies *a, const IdemPolicies *b)
{
	int			i;

	if (a->count != b->count)
		return false;
	for (i = 0; i < a->count; i++)
	{
		if (strcmp(a->policy[i].name, b->policy[i].name) != 0 ||
			a->policy[i].is_enforced != b->policy[i].is_enforced ||
			!idem_limits_calendar_equal(a->policy[i].calendar, b->policy[i].calendar) ||
			memcmp(&a->policy[i].limit, &b->policy[i].limit, sizeof(IdemRateLimit)) != 0)
			return false;
	}
	return true;
}

static bool
is_sound(const IdemLimitRow *row)
{
	IdemRateAlgorithm algorithm = idem_limits_policy_algorithm(row->algorithm);

	return VARSIZE_ANY_EXHDR(row->resource) > 0 &&
		VARSIZE_ANY_EXHDR(row->policy) <= IDEM_MAX_POLICY_SIZE &&
		algorithm != IDEM_RATE_NOTHING && row->quota >= 0 &&
		(algorithm == IDEM_CALENDAR_WINDOW ?
		 row->time_zone != NULL && idem_limits_calendar_is_unit(&row->period) :
		 is_span(&row->period)) &&
		(algorithm != IDEM_ADAPTIVE ||
		 (row->is_adaptive && is_span(&row->monitoring_window) &&
		  is_span(&row->recalculation_interval) &&
		  is_span(&row->sustained_inactivity)));
}

static bool
is_span(const Interval *span)
{
	int128		us = (int128) span->day * USECS_PER_DAY + span->time;

	return span->month == 0 && us > 0 && us <= IDEM_MAX_SPAN_DAYS * USECS_PER_DAY;
}

/* Nearly all have one name, which takes no memory then. */
static const char *
name_of(const text *policy)
{
	static const char *const usual = IDEM_DEFAULT_POLICY;
	char	   *name = text_to_cstring(policy);

	if (strcmp(name, usual) != 0)
		return name;
	pfree(name);
	return usual;
}

static IdemCalendar *
calendar_of(const IdemLimitRow *row)
{
	if (idem_limits_policy_algorithm(row->algorithm) != IDEM_CALENDAR_WINDOW)
		return NULL;
	return idem_limits_calendar_make(&row->period, row->time_zone);
}

static void
describe(const IdemLimitRow *row, IdemRateLimit *limit)
{
	memset(limit, 0, sizeof(IdemRateLimit));
	limit->algorithm = idem_limits_policy_algorithm(row->algorithm);
	limit->quota = row->quota;
	/* of a calendar window, as long as this one lasts */
	if (limit->algorithm != IDEM_CALENDAR_WINDOW)
		limit->period = idem_limits_policy_span_us(&row->period);
	limit->burst = row->burst > 0 ? row->burst : row->quota;
	if (!row->is_adaptive)
		return;
	limit->adaptive.monitoring_window = idem_limits_policy_span_us(&row->monitoring_window);
	limit->adaptive.high_threshold = row->high_threshold;
	limit->adaptive.moderate_threshold = row->moderate_threshold;
	limit->adaptive.recalculation_interval = idem_limits_policy_span_us(&row->recalculation_interval);
	limit->adaptive.sustained_inactivity = idem_limits_policy_span_us(&row->sustained_inactivity);
	limit->adaptive.pauses_background = row->pauses_background;
	limit->adaptive.max_user_scaling = row->max_user_scaling;
	limit->adaptive.min_user_reserved = row->min_user_reserved;
}

int64
idem_limits_policy_span_us(const Interval *span)
{
	return span->time + span->day * USECS_PER_DAY;
}

IdemRateAlgorithm
idem_limits_policy_algorithm(const text *name)
{
	int			i;

	for (i = 0; i < lengthof(algorithms); i++)
	{
		if (VARSIZE_ANY_EXHDR(name) == strlen(algorithms[i].name) &&
			memcmp(VARDATA_ANY(name), algorithms[i].name, VARSIZE_ANY_EXHDR(name)) == 0)
			return algorithms[i].algorithm;
	}
	return IDEM_RATE_NOTHING;
}
