/*
 * headers.c
 *		The headers of a response as an argument.
 *
 * A driver that encodes JSON by itself makes a string of what was encoded
 * already.  It is valid JSON, and would come back as no headers at all.
 */
#include "postgres.h"

#include "api/claims/headers.h"
#include "pg/compat.h"

/* a walk through a text that is known to be JSON */
typedef struct Walk
{
	const char *at;
	const char *end;
} Walk;

static bool is_object_or_pairs(const text *json);
static bool is_array_of_pairs(Walk *walk);
static bool is_pair(Walk *walk);
static void skip_space(Walk *walk);
static void skip_string(Walk *walk);
static void skip_value(Walk *walk);

struct varlena *
idem_claims_headers_arg(PG_FUNCTION_ARGS, int arg)
{
	text	   *headers;

	if (PG_ARGISNULL(arg))
		return NULL;
	headers = PG_GETARG_TEXT_PP(arg);
	if (!is_object_or_pairs(headers))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("response_headers must be a JSON object or an array of pairs"),
				 errhint("A JSON string here is JSON that was encoded twice: pass the text as it is, or the object, whichever the driver encodes once.")));
	return headers;
}

static bool
is_object_or_pairs(const text *json)
{
	Walk		walk = {VARDATA_ANY(json), VARDATA_ANY(json) + VARSIZE_ANY_EXHDR(json)};

	skip_space(&walk);
	if (*walk.at == '{')
		return true;
	return *walk.at == '[' && is_array_of_pairs(&walk);
}

/* from the bracket on */
static bool
is_array_of_pairs(Walk *walk)
{
	for (walk->at++; walk->at < walk->end; walk->at++)
	{
		skip_space(walk);
		if (*walk->at == ']')
			return true;
		if (*walk->at != ',' && !is_pair(walk))
			return false;
	}
	return true;				/* keep the compiler quiet */
}

/* two values, the first of them a name; ends at the closing bracket */
static bool
is_pair(Walk *walk)
{
	if (*walk->at++ != '[')
		return false;
	skip_space(walk);
	if (*walk->at != '"')
		return false;
	skip_string(walk);
	skip_space(walk);
	if (*walk->at++ != ',')
		return false;
	skip_value(walk);
	return *walk->at == ']';
}

static void
skip_space(Walk *walk)
{
	while (walk->at < walk->end && strchr(" \t\n\r", *walk->at) != NULL)
		walk->at++;
}

/* to what follows it */
static void
skip_string(Walk *walk)
{
	for (walk->at++; *walk->at != '"'; walk->at++)
	{
		if (*walk->at == '\\')
			walk->at++;
	}
	walk->at++;
}

/* to the comma or the bracket that ends it */
static void
skip_value(Walk *walk)
{
	int			depth = 0;

	for (; depth > 0 || (*walk->at != ',' && *walk->at != ']'); walk->at++)
	{
		if (*walk->at == '[' || *walk->at == '{')
			depth++;
		else if (*walk->at == ']' || *walk->at == '}')
			depth--;
		else if (*walk->at == '"')
		{
			skip_string(walk);
			walk->at--;
		}
	}
}
