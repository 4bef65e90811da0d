/*
 * args.c
 *		Decoding and checking the arguments of the cache's functions.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "utils/array.h"

#include "api/args.h"
#include "api/cache/args.h"
#include "api/text.h"
#include "engine/cache/cache.h"
#include "pg/errors.h"
#include "pg/guc.h"
#include "pg/name.h"

static ArrayType *array_arg(PG_FUNCTION_ARGS, int arg, const char *name);
static ArrayType *sort_tags(ArrayType *tags);
static void require_tag(const text *tag);
static int	compare_datums(const void *a, const void *b);
static int	compare_positions(const void *a, const void *b, void *keys);

struct varlena *
idem_cache_args_value(PG_FUNCTION_ARGS, int arg)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("value must not be null"),
				 errhint("Store the JSON null instead, or call cache_delete().")));
	return idem_cache_args_check_value(PG_GETARG_DATUM(arg));
}

struct varlena *
idem_cache_args_bytes(PG_FUNCTION_ARGS, int text_arg, int bytes_arg)
{
	IdemTextArgs args = {text_arg, "value_text", bytes_arg, "value"};

	return idem_cache_args_check_value(PointerGetDatum(idem_text_bytes(fcinfo, &args)));
}

struct varlena *
idem_cache_args_check_value(Datum value)
{
	Size		size = toast_raw_datum_size(value) - VARHDRSZ;

	if (size > (Size) idem_guc_cache_max_entry_size * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_TOO_LARGE),
				 errmsg("value is too large for the cache"),
				 errdetail("It has %zu bytes; at most %d kB are allowed.",
						   size, idem_guc_cache_max_entry_size),
				 errhint("Cache its parts, or raise idemstore.cache_max_entry_size.")));
	return PG_DETOAST_DATUM_PACKED(value);
}

ArrayType *
idem_cache_args_optional_tags(PG_FUNCTION_ARGS, int arg)
{
	ArrayType  *tags;
	int			n;

	if (PG_ARGISNULL(arg))
		return NULL;
	tags = idem_cache_args_any_tags(fcinfo, arg);
	n = ArrayGetNItems(ARR_NDIM(tags), ARR_DIMS(tags));
	if (n > IDEM_MAX_TAGS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many tags"),
				 errdetail("There are %d; at most %d are allowed.", n, IDEM_MAX_TAGS)));
	return tags;
}

ArrayType *
idem_cache_args_any_tags(PG_FUNCTION_ARGS, int arg)
{
	return sort_tags(array_arg(fcinfo, arg, "tags"));
}

static ArrayType *
array_arg(PG_FUNCTION_ARGS, int arg, const char *name)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
	idem_cache_args_check_array(PG_GETARG_ARRAYTYPE_P(arg), name, false);
	return PG_GETARG_ARRAYTYPE_P(arg);
}

void
idem_cache_args_check_array(const ArrayType *array, const char *name, bool may_have_nulls)
{
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must have one dimension", name)));
	if (!may_have_nulls && array_contains_nulls((ArrayType *) array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not contain nulls", name)));
}

static ArrayType *
sort_tags(ArrayType *tags)
{
	Datum	   *names;
	int			n;
	int			kept = 0;
	int			i;

	deconstruct_array(tags, TEXTOID, -1, false, TYPALIGN_INT, &names, NULL, &n);
	for (i = 0; i < n; i++)
		require_tag(DatumGetTextPP(names[i]));
	qsort(names, n, sizeof(Datum), compare_datums);
	for (i = 0; i < n; i++)
	{
		if (kept == 0 || compare_datums(&names[kept - 1], &names[i]) != 0)
			names[kept++] = names[i];
	}
	return construct_array(names, kept, TEXTOID, -1, false, TYPALIGN_INT);
}

static void
require_tag(const text *tag)
{
	int			size = VARSIZE_ANY_EXHDR(tag);

	if (size == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("tag must not be empty")));
	if (size > IDEM_MAX_TAG_SIZE)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("tag is too long"),
				 errdetail("It has %d bytes; at most %d are allowed.", size,
						   IDEM_MAX_TAG_SIZE)));
}

static int
compare_datums(const void *a, const void *b)
{
	return idem_name_compare(DatumGetTextPP(*(const Datum *) a),
							 DatumGetTextPP(*(const Datum *) b));
}

ArrayType *
idem_cache_args_one_tag(PG_FUNCTION_ARGS, int arg)
{
	Datum		tag = PointerGetDatum(idem_args_name(fcinfo, arg, "tag", IDEM_MAX_TAG_SIZE));

	require_tag(DatumGetTextPP(tag));
	return construct_array(&tag, 1, TEXTOID, -1, false, TYPALIGN_INT);
}

int
idem_cache_args_keys(PG_FUNCTION_ARGS, int arg, Datum **keys)
{
	int			n;
	int			i;

	deconstruct_array(array_arg(fcinfo, arg, "keys"), TEXTOID, -1, false, TYPALIGN_INT,
					  keys, NULL, &n);
	for (i = 0; i < n; i++)
		idem_args_check_long_name(DatumGetTextPP((*keys)[i]), "key");
	return n;
}

int *
idem_cache_args_order(const Datum *keys, int n)
{
	int		   *result = palloc(n * sizeof(int));
	int			i;

	for (i = 0; i < n; i++)
		result[i] = i;
	qsort_arg(result, n, sizeof(int), compare_positions, (void *) keys);
	return result;
}

static int
compare_positions(const void *a, const void *b, void *keys)
{
	int			left = *(const int *) a;
	int			right = *(const int *) b;
	int			order = compare_datums((Datum *) keys + left, (Datum *) keys + right);

	return order != 0 ? order : left - right;
}
