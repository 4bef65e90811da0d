/*
 * fingerprint.c
 *		The fingerprint of a request's content.
 *
 * Fingerprints are stored and compared for as long as records live, also
 * across major upgrades: what is hashed here must never change, and must not
 * lean on an order or an output format that PostgreSQL may change.
 *
 * The canonical text is hashed as it grows and never kept as a whole: it can be
 * much longer than the payload.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "engine/claims/fingerprint.h"
#include "engine/claims/jsonindex.h"
#include "engine/claims/jsonnumber.h"
#include "engine/claims/jsonstring.h"
#include "engine/claims/jsontoken.h"
#include "pg/utf8.h"

/* how much canonical text is hashed at once */
#define BATCH_SIZE 8192

/* a container whose end is not put yet */
typedef struct Open
{
	const IdemJsonObject *object;	/* NULL for an array */
	int			n_put;			/* elements, or of the object's members */
} Open;

typedef struct Walk
{
	IdemJsonReader reader;
	const IdemJsonIndex *index;
	int			n_objects;		/* how many objects begin before reader.at */
	Open	   *open;			/* the innermost is the last */
	int			n_open;
	int			max_open;
	StringInfoData out;
	pg_cryptohash_ctx *hash;
} Walk;

static void exclude_names(IdemJsonIndex *index, ArrayType *exclude);
static text *hash_canonical(const IdemJsonIndex *index, const char *json, int len);
static void put_value(Walk *walk);
static void begin_container(Walk *walk, const IdemJsonObject *object);
static void put_next(Walk *walk);
static bool is_at_end(Walk *walk, const Open *open);
static void put_key(Walk *walk, const IdemJsonMember *member);
static void flush(Walk *walk);
static text *finish(Walk *walk);
static void check_hash(int status);

text *
idem_claims_fingerprint_compute(const text *payload, ArrayType *exclude)
{
	int			len;
	const char *json = idem_utf8_encode(payload, &len);
	IdemJsonReader reader = {json, json + len};
	IdemJsonIndex index;

	idem_claims_jsonindex_build(&index, json, len);
	if (idem_claims_jsontoken_skip(&reader, '{'))
		exclude_names(&index, exclude);
	return hash_canonical(&index, json, len);
}

/* of the outermost object, which is the first one */
static void
exclude_names(IdemJsonIndex *index, ArrayType *exclude)
{
	Datum	   *elements;
	IdemJsonMember *names;
	int			n;
	int			i;

	deconstruct_array(exclude, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &n);
	names = palloc_extended(n * sizeof(IdemJsonMember), MCXT_ALLOC_HUGE);
	for (i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		names[i].key = idem_utf8_encode(DatumGetTextPP(elements[i]), &names[i].key_len);
	}
	idem_claims_jsonindex_exclude(index, 0, names, n);
}

static text *
hash_canonical(const IdemJsonIndex *index, const char *json, int len)
{
	Walk		walk = {.reader = {json, json + len}, .index = index};

	initStringInfo(&walk.out);
	walk.hash = pg_cryptohash_create(PG_SHA256);
	check_hash(pg_cryptohash_init(walk.hash));
	put_value(&walk);
	while (walk.n_open > 0)
	{
		CHECK_FOR_INTERRUPTS();
		put_next(&walk);
		if (walk.out.len >= BATCH_SIZE)
			flush(&walk);
	}
	return finish(&walk);
}

/* all of it, or where it is a container, its begin */
static void
put_value(Walk *walk)
{
	IdemJsonToken token = idem_claims_jsontoken_next(&walk->reader);
	const char *string;
	int			len;

	switch (token.kind)
	{
		case IDEM_JSON_OBJECT:
			begin_container(walk, &walk->index->objects[walk->n_objects++]);
			break;
		case IDEM_JSON_ARRAY:
			begin_container(walk, NULL);
			break;
		case IDEM_JSON_STRING:
			string = idem_claims_jsonstring_decode(&token, &len);
			idem_claims_jsonstring_put(&walk->out, string, len);
			if (string != token.start)
				pfree((void *) string);
			break;
		case IDEM_JSON_NUMBER:
			idem_claims_jsonnumber_put(&walk->out, &token);
			break;
		case IDEM_JSON_LITERAL:
			appendBinaryStringInfo(&walk->out, token.start, token.len);
			break;
	}
}

static void
begin_container(Walk *walk, const IdemJsonObject *object)
{
	Open	   *open;

	if (walk->n_open == walk->max_open)
	{
		walk->max_open = Max(walk->max_open * 2, 16);
		walk->open = walk->open == NULL ? palloc(walk->max_open * sizeof(Open)) :
			repalloc_huge(walk->open, walk->max_open * sizeof(Open));
	}
	open = &walk->open[walk->n_open++];
	open->object = object;
	open->n_put = 0;
	appendStringInfoChar(&walk->out, object != NULL ? '{' : '[');
}

/* the innermost container's next element or member, or its end */
static void
put_next(Walk *walk)
{
	Open	   *open = &walk->open[walk->n_open - 1];

	if (is_at_end(walk, open))
	{
		appendStringInfoChar(&walk->out, open->object != NULL ? '}' : ']');
		walk->n_open--;
		return;
	}
	if (open->n_put > 0)
		appendStringInfoChar(&walk->out, ',');
	if (open->object != NULL)
		put_key(walk, &walk->index->members[open->object->first + open->n_put]);
	open->n_put++;
	put_value(walk);
}

/* past the end, or to the next element: the members of an object come sorted */
static bool
is_at_end(Walk *walk, const Open *open)
{
	if (open->object == NULL)
	{
		if (open->n_put > 0)
			idem_claims_jsontoken_skip(&walk->reader, ',');
		return idem_claims_jsontoken_skip(&walk->reader, ']');
	}
	if (open->n_put < open->object->n)
		return false;
	walk->reader.at = open->object->end;
	walk->n_objects = open->object->n_objects;
	return true;
}

/* and go to its value */
static void
put_key(Walk *walk, const IdemJsonMember *member)
{
	idem_claims_jsonstring_put(&walk->out, member->key, member->key_len);
	appendStringInfoChar(&walk->out, ':');
	walk->reader.at = member->value;
	walk->n_objects = member->n_objects;
}

static void
flush(Walk *walk)
{
	check_hash(pg_cryptohash_update(walk->hash, (uint8 *) walk->out.data, walk->out.len));
	resetStringInfo(&walk->out);
}

/* in hexadecimal */
static text *
finish(Walk *walk)
{
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	text	   *result = palloc(VARHDRSZ + 2 * sizeof(digest));

	flush(walk);
	check_hash(pg_cryptohash_final(walk->hash, digest, sizeof(digest)));
	pg_cryptohash_free(walk->hash);
	SET_VARSIZE(result, VARHDRSZ + 2 * sizeof(digest));
	hex_encode((char *) digest, sizeof(digest), VARDATA(result));
	return result;
}

static void
check_hash(int status)
{
	if (status < 0)
		elog(ERROR, "could not compute SHA-256");
}
