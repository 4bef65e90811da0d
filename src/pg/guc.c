/*
 * guc.c
 *		The settings of idemstore.
 *
 * A check hook must not raise: it also runs when the configuration file is
 * read again, where an ERROR would take the server down.
 */
#include "postgres.h"

#include <limits.h>

#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "pg/compat.h"
#include "pg/guc.h"

#define TEN_YEARS_IN_SECONDS	(IDEM_MAX_SPAN_DAYS * SECS_PER_DAY)
#define MAX_WAIT_MS				(SECS_PER_DAY * 1000)

/* ten such values, of the two records of lookup, still fit into one row */
#define MAX_BODY_SIZE_KB		(100 * 1024)

#define LETTERS	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

int			idem_guc_default_ttl;
int			idem_guc_default_lease;
int			idem_guc_default_wait;
int			idem_guc_default_job_timeout;
int			idem_guc_max_body_size;
int			idem_guc_cache_max_entry_size;
int			idem_guc_cache_max_size;
int			idem_guc_cache_keep_stale;
const TimestampTz *idem_guc_test_clock;

static char *test_clock_text;

static bool check_test_clock(char **newval, void **extra, GucSource source);
static bool parse_timestamp(const char *text, TimestampTz *result);
static const char *without_z(const char *text);
static bool is_absolute(char **field, int nfields);
static void assign_test_clock(const char *newval, void *extra);

void
idem_guc_init(void)
{
	DefineCustomIntVariable("idemstore.default_ttl",
							"How long a record lives when the call names no ttl.",
							NULL,
							&idem_guc_default_ttl,
							86400, 1, TEN_YEARS_IN_SECONDS,
							PGC_USERSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("idemstore.default_lease",
							"How long a claim is held when the call names no lease.",
							"When the lease is over, the next caller takes the key over.",
							&idem_guc_default_lease,
							300, 1, IDEM_MAX_LEASE_S,
							PGC_USERSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("idemstore.default_wait",
							"How long wait() and dedupe_wait_for() wait when the call names no timeout.",
							NULL,
							&idem_guc_default_wait,
							30000, 0, MAX_WAIT_MS,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("idemstore.default_job_timeout",
							"How long a job may take when the call names no timeout, and how long its result is kept at least.",
							"When the timeout is over, the next dedupe_register() takes the job over.",
							&idem_guc_default_job_timeout,
							300, 1, IDEM_MAX_LEASE_S,
							PGC_USERSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("idemstore.max_body_size",
							"The largest body, header, error, context or value that a record takes.",
							NULL,
							&idem_guc_max_body_size,
							64 * 1024, 1, MAX_BODY_SIZE_KB,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("idemstore.cache_max_entry_size",
							"The largest value that the cache takes.",
							NULL,
							&idem_guc_cache_max_entry_size,
							5 * 1024, 1, MAX_BODY_SIZE_KB,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("idemstore.cache_max_size",
							"How large the cache may be after expire().",
							"When it is larger, the oldest entries are removed. 0 means no bound.",
							&idem_guc_cache_max_size,
							0, 0, INT_MAX,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("idemstore.cache_keep_stale",
							"How long expire() keeps expired entries, for cache_fetch() to serve as stale.",
							NULL,
							&idem_guc_cache_keep_stale,
							60, 0, TEN_YEARS_IN_SECONDS,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomStringVariable("idemstore.test_clock",
							   "Holds the clock of idemstore still at this instant, for tests.",
							   "Empty means the server's clock.",
							   &test_clock_text,
							   "",
							   PGC_SUSET, GUC_NOT_IN_SAMPLE,
							   check_test_clock, assign_test_clock, NULL);
	MarkGUCPrefixReserved("idemstore");
}

static bool
check_test_clock(char **newval, void **extra, GucSource source)
{
	TimestampTz *instant;

	if (**newval == '\0')
		return true;

	instant = idem_compat_guc_malloc(sizeof(TimestampTz));
	if (instant == NULL)
		return false;
	if (!parse_timestamp(*newval, instant))
	{
		idem_compat_guc_free(instant);
		GUC_check_errdetail("The value must be a timestamp with a numeric time zone or Z, or empty.");
		return false;
	}
	*extra = instant;
	return true;
}

static bool
parse_timestamp(const char *text, TimestampTz *result)
{
	char		workbuf[MAXDATELEN + MAXDATEFIELDS];
	char	   *field[MAXDATEFIELDS];
	int			ftype[MAXDATEFIELDS];
	int			nfields;
	int			dtype;
	int			tz;
	fsec_t		fsec;
	struct pg_tm tm;

	if (ParseDateTime(without_z(text), workbuf, sizeof(workbuf),
					  field, ftype, MAXDATEFIELDS, &nfields) != 0)
		return false;
	if (!is_absolute(field, nfields))
		return false;
	if (idem_compat_decode_datetime(field, ftype, nfields, &dtype, &tm, &fsec, &tz) != 0)
		return false;
	return dtype == DTK_DATE && tm2timestamp(&tm, fsec, &tz, result) == 0;
}

/*
 * A Z at the end as digits: names of zones are looked up in a table that a
 * parallel worker does not have yet while it restores its settings.
 */
static const char *
without_z(const char *text)
{
	int			size = strlen(text);

	if (size == 0 || pg_tolower((unsigned char) text[size - 1]) != 'z')
		return text;

	return psprintf("%.*s+00", size - 1, text);
}

/*
 * A text that is read again, under another TimeZone or in a parallel worker,
 * must mean the same: so a zone in digits, and no word such as "now".  An
 * unknown name of a zone would raise.
 */
static bool
is_absolute(char **field, int nfields)
{
	bool		has_zone = false;
	int			i;

	for (i = 0; i < nfields; i++)
	{
		const char *letters = field[i] + strcspn(field[i], LETTERS);

		if (*letters != '\0' && strcmp(letters, "t") != 0)
			return false;
		if (*field[i] == '+' || *field[i] == '-')
			has_zone = true;
	}
	return has_zone;
}

static void
assign_test_clock(const char *newval, void *extra)
{
	idem_guc_test_clock = extra;
}
