/*
 * text.c
 *		Values that come as text or as bytes.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "api/text.h"
#include "pg/compat.h"
#include "pg/utf8.h"

struct varlena *
idem_text_bytes(PG_FUNCTION_ARGS, const IdemTextArgs *args)
{
	struct varlena *value = idem_text_optional_bytes(fcinfo, args);

	if (value == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s and %s must not both be null", args->text_name, args->bytes_name),
				 errhint("Pass text as %s, or bytes by name as %s.",
						 args->text_name, args->bytes_name)));
	return value;
}

struct varlena *
idem_text_optional_bytes(PG_FUNCTION_ARGS, const IdemTextArgs *args)
{
	bool		has_bytes = !PG_ARGISNULL(args->bytes_arg);

	if (PG_ARGISNULL(args->text_arg))
		return has_bytes ? PG_GETARG_VARLENA_PP(args->bytes_arg) : NULL;
	if (has_bytes)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s and %s must not both be given", args->text_name, args->bytes_name),
				 errdetail("They are two forms of one value.")));
	return idem_text_to_utf8(PG_GETARG_TEXT_PP(args->text_arg));
}

struct varlena *
idem_text_to_utf8(text *value)
{
	int			len;
	const char *utf8 = idem_utf8_encode(value, &len);

	return utf8 == VARDATA_ANY(value) ? value : cstring_to_text_with_len(utf8, len);
}

text *
idem_text_from_utf8(struct varlena *value)
{
	const char *from = VARDATA_ANY(value);
	int			size = VARSIZE_ANY_EXHDR(value);
	const char *converted = pg_any_to_server(from, size, PG_UTF8);

	return converted == from ? value : cstring_to_text(converted);
}
