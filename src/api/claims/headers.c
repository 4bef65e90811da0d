/*
 * headers.c
 *		The headers of a response as an argument.
 *
 * A driver that encodes JSON by itself makes a string of what was encoded
 * already.  It is valid JSON, and would come back as no headers at all.
 */
#include "postgres.h"

#include "api/claims/headers.h"
#include "engine/claims/jsontoken.h"

static bool is_object_or_pairs(const text *json);
static bool is_pair(IdemJsonReader *reader);
static void skip_value(IdemJsonReader *reader);

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
	IdemJsonReader reader = {VARDATA_ANY(json), VARDATA_ANY(json) + VARSIZE_ANY_EXHDR(json)};

	if (idem_claims_jsontoken_skip(&reader, '{'))
		return true;
	if (!idem_claims_jsontoken_skip(&reader, '['))
		return false;
	if (idem_claims_jsontoken_skip(&reader, ']'))
		return true;
	do
	{
		if (!is_pair(&reader))
			return false;
	} while (idem_claims_jsontoken_skip(&reader, ','));
	return true;
}

/* an array of two, the first of them a name */
static bool
is_pair(IdemJsonReader *reader)
{
	if (!idem_claims_jsontoken_skip(reader, '[') || !idem_claims_jsontoken_skip(reader, '"'))
		return false;
	reader->at--;
	skip_value(reader);
	if (!idem_claims_jsontoken_skip(reader, ','))
		return false;
	skip_value(reader);
	return idem_claims_jsontoken_skip(reader, ']');
}

/* of a text that is known to be JSON */
static void
skip_value(IdemJsonReader *reader)
{
	int			depth = 0;

	do
	{
		if (idem_claims_jsontoken_skip(reader, ']') || idem_claims_jsontoken_skip(reader, '}'))
			depth--;
		else if (!idem_claims_jsontoken_skip(reader, ',') && !idem_claims_jsontoken_skip(reader, ':'))
		{
			IdemJsonKind kind = idem_claims_jsontoken_next(reader).kind;

			depth += kind == IDEM_JSON_OBJECT || kind == IDEM_JSON_ARRAY;
		}
	} while (depth > 0);
}
