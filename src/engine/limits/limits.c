/*
 * limits.c
 *		Which limits hold for a resource.
 *
 * A session keeps the patterns, and within bounds what it has learnt of exact
 * names, until the configuration changes.  What a caller was given stays there
 * as long as the memory context it was called in, also when another look-up
 * begins anew.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#include "engine/limits/limits.h"
#include "engine/limits/names.h"
#include "engine/limits/patterns.h"
#include "pg/errors.h"
#include "store/limits/rows.h"

typedef struct Limits
{
	MemoryContext context;
	IdemPatterns *patterns;
	IdemNames  *names;
	char	   *snapshot;		/* that the patterns were read by, or NULL */
} Limits;

/* the policies of one name, and where they are put */
typedef struct Finding
{
	MemoryContext context;
	IdemPolicies *policies;
} Finding;

static Limits *limits = NULL;

static inline const IdemPolicies *find_any(const text *resource);
static void begin_anew(void);
static void add_pattern(const IdemLimitRow *row, void *arg);
static bool find(const text *resource, const IdemPolicies **policies);
static bool look_up(const text *resource, const IdemPolicies **policies);
static void add_policy(const IdemLimitRow *row, void *arg);

const IdemPolicies *
idem_limits_find(const text *resource)
{
	AcceptInvalidationMessages();
	return idem_limits_find_next(resource);
}

const IdemPolicies *
idem_limits_find_next(const text *resource)
{
	const IdemPolicies *policies = find_any(resource);

	if (policies == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_NO_LIMIT),
				 errmsg("no rate limit is set for this resource"),
				 errdetail("Neither the name \"%s\" nor a pattern that matches it has a limit.",
						   text_to_cstring(resource)),
				 errhint("Call set_rate_limit('*', 60, '1 min') for a default, or pass quota and per in the call.")));
	/* Too many, which SQL may have brought, are nobody else's concern. */
	if (policies->count > IDEM_MAX_POLICIES)
		idem_limits_raise_too_many(resource);
	return policies;
}

const IdemPolicies *
idem_limits_search(const text *resource)
{
	const IdemPolicies *policies;

	AcceptInvalidationMessages();
	policies = find_any(resource);
	return policies != NULL && policies->count <= IDEM_MAX_POLICIES ? policies : NULL;
}

/* NULL for none */
static inline const IdemPolicies *
find_any(const text *resource)
{
	const IdemPolicies *policies;

	if (limits == NULL || !idem_store_limits_rows_is_current())
		begin_anew();
	while (!find(resource, &policies))
		begin_anew();
	return policies;
}

void
idem_limits_raise_too_many(const text *resource)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("too many policies for one resource"),
			 errdetail("At most %d are allowed; the resource is \"%s\".", IDEM_MAX_POLICIES,
					   text_to_cstring(resource)),
			 errhint("Drop one with drop_rate_limit().")));
}

/* An error on the way leaves nothing. */
static void
begin_anew(void)
{
	Limits	   *begun;
	MemoryContext context;
	MemoryContext caller;

	if (limits != NULL)
	{
		MemoryContextSetParent(limits->context, CurrentMemoryContext);
		limits = NULL;
	}
	context = AllocSetContextCreate(CurrentMemoryContext, "idemstore rate limits",
									ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(context);
	begun = palloc0(sizeof(Limits));
	begun->context = context;
	begun->patterns = idem_limits_patterns_begin();
	begun->snapshot = idem_store_limits_rows_visit_patterns(add_pattern, begun->patterns);
	idem_limits_patterns_end(begun->patterns);
	begun->names = idem_limits_names_begin();
	MemoryContextSwitchTo(caller);
	MemoryContextSetParent(context, CacheMemoryContext);
	limits = begun;
}

static void
add_pattern(const IdemLimitRow *row, void *arg)
{
	idem_limits_patterns_add(arg, row);
}

/*
 * An exact name wins, then the longest pattern; NULL for neither.  False when
 * patterns and names are not of one time.
 */
static bool
find(const text *resource, const IdemPolicies **policies)
{
	if (idem_limits_names_find(limits->names, resource, policies) == IDEM_NAME_UNKNOWN &&
		!look_up(resource, policies))
		return false;
	if (*policies == NULL)
		*policies = idem_limits_patterns_find(limits->patterns, VARDATA_ANY(resource),
											  VARSIZE_ANY_EXHDR(resource));
	return true;
}

static bool
look_up(const text *resource, const IdemPolicies **policies)
{
	Finding		finding = {.policies = NULL};

	if (idem_store_limits_rows_is_pattern(resource))
		return true;
	finding.context = idem_limits_names_context(limits->names);
	if (!idem_store_limits_rows_visit_name(resource, limits->snapshot, add_policy, &finding))
		return false;
	if (finding.policies != NULL || !idem_limits_names_learn(limits->names, resource))
		*policies = idem_limits_names_add(limits->names, resource, finding.policies);
	return true;
}

static void
add_policy(const IdemLimitRow *row, void *arg)
{
	Finding    *finding = arg;
	MemoryContext caller = MemoryContextSwitchTo(finding->context);

	finding->policies = idem_limits_policy_add(finding->policies, row);
	MemoryContextSwitchTo(caller);
}
