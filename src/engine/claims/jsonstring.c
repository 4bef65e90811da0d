/*
 * jsonstring.c
 *		Strings of JSON: what they say, and their one canonical form.
 *
 * Where jsonb takes a string, the canonical form is what jsonb's content gave
 * when fingerprints were made from that.  NUL and halves of surrogate pairs,
 * which it has not, stay escapes, and no other string has these: its
 * backslashes are doubled.
 */
#include "postgres.h"

#include <ctype.h>

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"

#include "engine/claims/jsonstring.h"

/* no conversion of one character needs more, by the server's own reckoning */
#define CONVERSION_ROOM 128

static const char *decode_escape(const char *at, const char *end, char **out);
static pg_wchar read_code_point(const char **at, const char *end);
static pg_wchar read_code_unit(const char *hex);
static int	put_code_point(char *out, pg_wchar code_point);
static int	by_way_of_server(char *character, int len);
static bool convert(int from, int to, const char *character, int len, char *result);
static int	len_of_special(const char *at, const char *end);
static void put_special(StringInfo out, const char *at, int len);

const char *
idem_claims_jsonstring_decode(const IdemJsonToken *token, int *len)
{
	const char *at = token->start;
	const char *end = token->start + token->len;
	char	   *result;
	char	   *out;

	*len = token->len;
	if (memchr(at, '\\', token->len) == NULL)
		return token->start;

	/* an escape is never shorter than what it stands for */
	out = result = palloc(token->len);
	while (at < end)
	{
		if (*at != '\\')
			*out++ = *at++;
		else
			at = decode_escape(at + 1, end, &out);
	}
	*len = out - result;
	return result;
}

/* from behind the backslash; returns where to go on */
static const char *
decode_escape(const char *at, const char *end, char **out)
{
	static const char letters[] = "bfnrt";
	static const char controls[] = "\b\f\n\r\t";
	char		letter = *at++;
	const char *known = strchr(letters, letter);

	if (letter == 'u')
		*out += put_code_point(*out, read_code_point(&at, end));
	else
		*(*out)++ = known != NULL ? controls[known - letters] : letter;
	return at;
}

/* from behind the u; two escapes where they are a surrogate pair */
static pg_wchar
read_code_point(const char **at, const char *end)
{
	pg_wchar	first = read_code_unit(*at);
	pg_wchar	second;

	*at += 4;
	if (!is_utf16_surrogate_first(first) ||
		end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
		return first;
	second = read_code_unit(*at + 2);
	if (!is_utf16_surrogate_second(second))
		return first;
	*at += 6;
	return surrogate_pair_to_codepoint(first, second);
}

static pg_wchar
read_code_unit(const char *hex)
{
	pg_wchar	result = 0;
	int			i;

	for (i = 0; i < 4; i++)
		result = result * 16 + (isdigit((unsigned char) hex[i]) ? hex[i] - '0' : (hex[i] | 0x20) - 'a' + 10);
	return result;
}

static int
put_code_point(char *out, pg_wchar code_point)
{
	unicode_to_utf8(code_point, (unsigned char *) out);
	return by_way_of_server(out, pg_utf_mblen((unsigned char *) out));
}

/*
 * What jsonb did with an escape: into the database's encoding and back, which
 * is another character for U+00A6 in EUC_JP.  One that the encoding has not
 * stays.  Returns the length.
 */
static int
by_way_of_server(char *character, int len)
{
	char		in_server[CONVERSION_ROOM];
	char		back[CONVERSION_ROOM];
	int			server = GetDatabaseEncoding();

	if (len == 1 || server == PG_UTF8 || server == PG_SQL_ASCII ||
		!convert(PG_UTF8, server, character, len, in_server) ||
		!convert(server, PG_UTF8, in_server, strlen(in_server), back) ||
		pg_utf_mblen((unsigned char *) back) != strlen(back))
		return len;
	len = strlen(back);
	memcpy(character, back, len);
	return len;
}

static bool
convert(int from, int to, const char *character, int len, char *result)
{
	Oid			function = FindDefaultConversionProc(from, to);

	return OidIsValid(function) &&
		pg_do_encoding_conversion_buf(function, from, to, (unsigned char *) character, len,
									  (unsigned char *) result, CONVERSION_ROOM, true) == len;
}

void
idem_claims_jsonstring_put(StringInfo out, const char *string, int len)
{
	const char *end = string + len;
	const char *plain = string; /* the first byte that is not in out yet */
	const char *at = string;

	appendStringInfoChar(out, '"');
	while (at < end)
	{
		int			special = len_of_special(at, end);

		if (special == 0)
		{
			at++;
			continue;
		}
		appendBinaryStringInfo(out, plain, at - plain);
		put_special(out, at, special);
		plain = at += special;
	}
	appendBinaryStringInfo(out, plain, end - plain);
	appendStringInfoChar(out, '"');
}

/* how many bytes from here on need an escape: half a surrogate pair has three */
static int
len_of_special(const char *at, const char *end)
{
	unsigned char c = *at;

	if (c < ' ' || c == '"' || c == '\\')
		return 1;
	return c == 0xED && end - at >= 3 && (unsigned char) at[1] >= 0xA0 ? 3 : 0;
}

static void
put_special(StringInfo out, const char *at, int len)
{
	static const char controls[] = "\b\f\n\r\t\"\\";
	static const char letters[] = "bfnrt\"\\";
	const char *known = *at == '\0' ? NULL : strchr(controls, *at);

	if (known != NULL)
		appendStringInfo(out, "\\%c", letters[known - controls]);
	else
		appendStringInfo(out, "\\u%04x", len == 1 ? *at : utf8_to_unicode((const unsigned char *) at));
}
