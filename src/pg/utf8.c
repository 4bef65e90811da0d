/*
 * utf8.c
 *		Text of any database as UTF-8.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "pg/compat.h"
#include "pg/utf8.h"

static bool is_ascii(const char *string, int len);

/* what is ASCII needs no conversion, which not every encoding has */
const char *
idem_utf8_encode(const text *value, int *len)
{
	const char *bytes = VARDATA_ANY(value);
	const char *result;

	*len = VARSIZE_ANY_EXHDR(value);
	if (is_ascii(bytes, *len))
		return bytes;
	result = pg_server_to_any(bytes, *len, PG_UTF8);
	if (result != bytes)
		*len = strlen(result);
	return result;
}

static bool
is_ascii(const char *string, int len)
{
	int			i;

	for (i = 0; i < len; i++)
	{
		if (IS_HIGHBIT_SET(string[i]))
			return false;
	}
	return true;
}
