/*
 * fingerprint.c
 *		The fingerprint of a request's content.
 *
 * Fingerprints are stored and compared for as long as records live, also
 * across major upgrades: what is hashed here must never change, and must not
 * lean on an order or an output format that PostgreSQL may change.
 */
#include "postgres.h"

#include "common/sha2.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/numeric.h"

#include "engine/claims/fingerprint.h"

typedef struct Member
{
	char	   *key;			/* in UTF-8, whose bytes are what is sorted */
	JsonbValue	value;
} Member;

static List *read_names(ArrayType *names);
static void put_container(StringInfo out, JsonbContainer *container,
						  const List *exclude);
static void put_array(StringInfo out, JsonbContainer *container);
static void put_object(StringInfo out, JsonbContainer *container,
					   const List *exclude);
static Member *read_members(JsonbContainer *container, int *n);
static int	compare_members(const void *a, const void *b);
static bool is_excluded(const Member *member, const List *exclude);
static void put_value(StringInfo out, JsonbValue *value);
static char *utf8_of(const JsonbValue *string);
static char *to_utf8(char *string);
static text *sha256_hex(const char *data, int len);

text *
idem_claims_fingerprint_compute(Jsonb *payload, ArrayType *exclude)
{
	StringInfoData canonical;

	initStringInfo(&canonical);
	put_container(&canonical, &payload->root, read_names(exclude));
	return sha256_hex(canonical.data, canonical.len);
}

/* in UTF-8, as the keys */
static List *
read_names(ArrayType *names)
{
	ArrayIterator it = array_create_iterator(names, 0, NULL);
	List	   *result = NIL;
	Datum		name;
	bool		isnull;

	while (array_iterate(it, &name, &isnull))
		result = lappend(result, to_utf8(TextDatumGetCString(name)));
	array_free_iterator(it);
	return result;
}

static void
put_container(StringInfo out, JsonbContainer *container, const List *exclude)
{
	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (JsonContainerIsScalar(container))
		put_value(out, getIthJsonbValueFromContainer(container, 0));
	else if (JsonContainerIsArray(container))
		put_array(out, container);
	else
		put_object(out, container, exclude);
}

static void
put_array(StringInfo out, JsonbContainer *container)
{
	uint32		n = JsonContainerSize(container);
	uint32		i;

	appendStringInfoChar(out, '[');
	for (i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i > 0)
			appendStringInfoChar(out, ',');
		put_value(out, getIthJsonbValueFromContainer(container, i));
	}
	appendStringInfoChar(out, ']');
}

static void
put_object(StringInfo out, JsonbContainer *container, const List *exclude)
{
	bool		is_first = true;
	int			n;
	Member	   *members = read_members(container, &n);
	int			i;

	appendStringInfoChar(out, '{');
	for (i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (is_excluded(&members[i], exclude))
			continue;
		if (!is_first)
			appendStringInfoChar(out, ',');
		is_first = false;
		escape_json(out, members[i].key);
		appendStringInfoChar(out, ':');
		put_value(out, &members[i].value);
	}
	appendStringInfoChar(out, '}');
}

/* sorted by the keys; jsonb's own order looks at lengths first */
static Member *
read_members(JsonbContainer *container, int *n)
{
	Member	   *members = palloc(JsonContainerSize(container) * sizeof(Member));
	JsonbIterator *it = JsonbIteratorInit(container);
	JsonbValue	value;
	JsonbIteratorToken token;

	*n = 0;
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token == WJB_KEY)
			members[*n].key = utf8_of(&value);
		else if (token == WJB_VALUE)
			members[(*n)++].value = value;
	}
	qsort(members, *n, sizeof(Member), compare_members);
	return members;
}

static int
compare_members(const void *a, const void *b)
{
	return strcmp(((const Member *) a)->key, ((const Member *) b)->key);
}

static bool
is_excluded(const Member *member, const List *exclude)
{
	const ListCell *cell;

	foreach(cell, exclude)
	{
		if (strcmp(lfirst(cell), member->key) == 0)
			return true;
	}
	return false;
}

static void
put_value(StringInfo out, JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			appendStringInfoString(out, "null");
			break;
		case jbvBool:
			appendStringInfoString(out, value->val.boolean ? "true" : "false");
			break;
		case jbvNumeric:
			appendStringInfoString(out, numeric_normalize(value->val.numeric));
			break;
		case jbvString:
			escape_json(out, utf8_of(value));
			break;
		case jbvBinary:
			put_container(out, value->val.binary.data, NIL);
			break;
		default:
			elog(ERROR, "unexpected jsonb value type: %d", (int) value->type);
	}
}

static char *
utf8_of(const JsonbValue *string)
{
	return to_utf8(pnstrdup(string->val.string.val, string->val.string.len));
}

static char *
to_utf8(char *string)
{
	return pg_server_to_any(string, strlen(string), PG_UTF8);
}

static text *
sha256_hex(const char *data, int len)
{
	bytea	   *digest;
	text	   *result = palloc(VARHDRSZ + PG_SHA256_DIGEST_LENGTH * 2);

	digest = DatumGetByteaPP(DirectFunctionCall1(sha256_bytea,
												 PointerGetDatum(cstring_to_text_with_len(data, len))));
	SET_VARSIZE(result, VARHDRSZ + PG_SHA256_DIGEST_LENGTH * 2);
	hex_encode(VARDATA_ANY(digest), PG_SHA256_DIGEST_LENGTH, VARDATA(result));
	return result;
}
