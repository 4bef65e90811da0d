/*
 * jsontoken.c
 *		JSON text, read token by token.
 *
 * The grammar is that of RFC 8259 and no more.  Escapes may name any code unit,
 * NUL and halves of surrogate pairs too: type json lets them through.  It has
 * looked at the text before, but nothing here relies on that.
 */
#include "postgres.h"

#include <ctype.h>

#include "engine/claims/jsontoken.h"

static void skip_space(IdemJsonReader *reader);
static char peek(const IdemJsonReader *reader);
static bool skip_char(IdemJsonReader *reader, char c);
static IdemJsonToken read_string(IdemJsonReader *reader);
static void skip_escape(IdemJsonReader *reader);
static void skip_number(IdemJsonReader *reader);
static void skip_digits(IdemJsonReader *reader);
static void skip_literal(IdemJsonReader *reader);

IdemJsonToken
idem_claims_jsontoken_next(IdemJsonReader *reader)
{
	IdemJsonToken token;

	if (idem_claims_jsontoken_skip(reader, '"'))
		return read_string(reader);

	token.start = reader->at;
	if (skip_char(reader, '{'))
		token.kind = IDEM_JSON_OBJECT;
	else if (skip_char(reader, '['))
		token.kind = IDEM_JSON_ARRAY;
	else if (peek(reader) == '-' || isdigit((unsigned char) peek(reader)))
	{
		token.kind = IDEM_JSON_NUMBER;
		skip_number(reader);
	}
	else
	{
		token.kind = IDEM_JSON_LITERAL;
		skip_literal(reader);
	}
	token.len = reader->at - token.start;
	return token;
}

bool
idem_claims_jsontoken_skip(IdemJsonReader *reader, char punctuation)
{
	skip_space(reader);
	return skip_char(reader, punctuation);
}

void
idem_claims_jsontoken_end(IdemJsonReader *reader)
{
	skip_space(reader);
	if (reader->at != reader->end)
		idem_claims_jsontoken_reject();
}

void
idem_claims_jsontoken_reject(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("payload must be JSON")));
}

static void
skip_space(IdemJsonReader *reader)
{
	while (skip_char(reader, ' ') || skip_char(reader, '\n') ||
		   skip_char(reader, '\t') || skip_char(reader, '\r'))
		;
}

/* NUL at the end, where no JSON has one */
static char
peek(const IdemJsonReader *reader)
{
	return reader->at < reader->end ? *reader->at : '\0';
}

static bool
skip_char(IdemJsonReader *reader, char c)
{
	if (peek(reader) != c)
		return false;
	reader->at++;
	return true;
}

static IdemJsonToken
read_string(IdemJsonReader *reader)
{
	IdemJsonToken token = {.kind = IDEM_JSON_STRING, .start = reader->at};

	while (!skip_char(reader, '"'))
	{
		if ((unsigned char) peek(reader) < ' ')
			idem_claims_jsontoken_reject();
		if (*reader->at++ == '\\')
			skip_escape(reader);
	}
	token.len = reader->at - token.start - 1;
	return token;
}

static void
skip_escape(IdemJsonReader *reader)
{
	int			i;

	if (!skip_char(reader, 'u'))
	{
		if (peek(reader) == '\0' || strchr("\"\\/bfnrt", peek(reader)) == NULL)
			idem_claims_jsontoken_reject();
		reader->at++;
		return;
	}
	for (i = 0; i < 4; i++)
	{
		if (!isxdigit((unsigned char) peek(reader)))
			idem_claims_jsontoken_reject();
		reader->at++;
	}
}

static void
skip_number(IdemJsonReader *reader)
{
	skip_char(reader, '-');
	if (!skip_char(reader, '0'))
		skip_digits(reader);
	if (skip_char(reader, '.'))
		skip_digits(reader);
	if (skip_char(reader, 'e') || skip_char(reader, 'E'))
	{
		if (!skip_char(reader, '+'))
			skip_char(reader, '-');
		skip_digits(reader);
	}
}

/* at least one */
static void
skip_digits(IdemJsonReader *reader)
{
	const char *start = reader->at;

	while (peek(reader) >= '0' && peek(reader) <= '9')
		reader->at++;
	if (reader->at == start)
		idem_claims_jsontoken_reject();
}

static void
skip_literal(IdemJsonReader *reader)
{
	static const char *const literals[] = {"true", "false", "null"};
	int			i;

	for (i = 0; i < lengthof(literals); i++)
	{
		int			len = strlen(literals[i]);

		if (reader->end - reader->at >= len && memcmp(reader->at, literals[i], len) == 0)
		{
			reader->at += len;
			return;
		}
	}
	idem_claims_jsontoken_reject();
}
