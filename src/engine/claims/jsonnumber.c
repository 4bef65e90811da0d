/*
 * jsonnumber.c
 *		Numbers of JSON in their one canonical form.
 *
 * Nothing here is bounded by what a number of the machine, or numeric, can
 * hold: an exponent may have as many digits as it likes.
 */
#include "postgres.h"

#include "engine/claims/jsonnumber.h"

#define MAX_PLAIN_DIGITS 1000

/*
 * An exponent of more digits is text; one that fits is so far below INT64_MAX
 * that the digits of a number can be added to it.
 */
#define MAX_SMALL_EXPONENT 17

/* as it is written; its significant digits begin and end with one that is not 0 */
typedef struct Number
{
	bool		is_negative;
	const char *first;			/* significant digit */
	const char *point;			/* or where it would be */
	int			n;				/* how many significant digits */
	int64		position;		/* the first one's power of ten, but for the
								 * exponent */
	bool		is_tiny;		/* the exponent is negative */
	const char *exponent;		/* its digits, without leading zeros */
	int			exponent_len;
} Number;

static bool parse(const IdemJsonToken *token, Number *number);
static void parse_exponent(const char *at, const char *end, Number *number);
static bool is_plain(const Number *number, int64 *position);
static int64 small_exponent(const Number *number);
static void put_plain(StringInfo out, const Number *number, int position);
static void put_zeros(StringInfo out, int n);
static void put_digits(StringInfo out, const Number *number, int from, int to);
static void put_exponent(StringInfo out, const Number *number);
static void put_large_exponent(StringInfo out, const Number *number);

void
idem_claims_jsonnumber_put(StringInfo out, const IdemJsonToken *token)
{
	Number		number;
	int64		position;

	if (!parse(token, &number))
	{
		appendStringInfoChar(out, '0');
		return;
	}
	if (number.is_negative)
		appendStringInfoChar(out, '-');
	if (is_plain(&number, &position))
	{
		put_plain(out, &number, position);
		return;
	}
	put_digits(out, &number, 0, 1);
	if (number.n > 1)
		appendStringInfoChar(out, '.');
	put_digits(out, &number, 1, number.n);
	put_exponent(out, &number);
}

/* false if it is zero */
static bool
parse(const IdemJsonToken *token, Number *number)
{
	const char *at = token->start;
	const char *end = token->start + token->len;
	const char *last = NULL;

	memset(number, 0, sizeof(Number));
	number->is_negative = *at == '-';
	for (at += number->is_negative; at < end && *at != 'e' && *at != 'E'; at++)
	{
		if (*at == '.')
			number->point = at;
		else if (*at != '0')
		{
			last = at;
			if (number->first == NULL)
				number->first = at;
		}
	}
	if (number->first == NULL)
		return false;

	if (number->point == NULL)
		number->point = at;
	number->n = last - number->first + 1;
	if (number->first < number->point && number->point < last)
		number->n--;
	number->position = number->point - number->first;
	if (number->position > 0)
		number->position--;
	if (at < end)
		parse_exponent(at + 1, end, number);
	return true;
}

static void
parse_exponent(const char *at, const char *end, Number *number)
{
	number->is_tiny = *at == '-';
	if (*at == '-' || *at == '+')
		at++;
	while (at < end && *at == '0')
		at++;
	number->exponent = at;
	number->exponent_len = end - at;
}

/* Is it written without an exponent?  position is then the first digit's power. */
static bool
is_plain(const Number *number, int64 *position)
{
	if (number->exponent_len > MAX_SMALL_EXPONENT)
		return false;
	*position = number->position + small_exponent(number);
	return (*position < 0 ? number->n - *position : Max(*position + 1, number->n)) <= MAX_PLAIN_DIGITS;
}

static int64
small_exponent(const Number *number)
{
	int64		result = 0;
	int			i;

	for (i = 0; i < number->exponent_len; i++)
		result = result * 10 + (number->exponent[i] - '0');
	return number->is_tiny ? -result : result;
}

static void
put_plain(StringInfo out, const Number *number, int position)
{
	int			whole = Min(number->n, position + 1);

	if (position < 0)
	{
		appendStringInfoString(out, "0.");
		put_zeros(out, -position - 1);
		put_digits(out, number, 0, number->n);
		return;
	}
	put_digits(out, number, 0, whole);
	put_zeros(out, position + 1 - whole);
	if (whole < number->n)
		appendStringInfoChar(out, '.');
	put_digits(out, number, whole, number->n);
}

static void
put_zeros(StringInfo out, int n)
{
	enlargeStringInfo(out, n);
	memset(out->data + out->len, '0', n);
	out->len += n;
	out->data[out->len] = '\0';
}

/* the significant digits between, from 0; the point among them is passed over */
static void
put_digits(StringInfo out, const Number *number, int from, int to)
{
	int			before_point = number->first < number->point ? number->point - number->first : number->n;
	int			middle = Min(Max(from, before_point), to);

	appendBinaryStringInfo(out, number->first + from, middle - from);
	appendBinaryStringInfo(out, number->first + middle + 1, to - middle);
}

static void
put_exponent(StringInfo out, const Number *number)
{
	if (number->exponent_len > MAX_SMALL_EXPONENT)
		put_large_exponent(out, number);
	else
		appendStringInfo(out, "e" INT64_FORMAT, number->position + small_exponent(number));
}

/*
 * The exponent and the first digit's position added up, in decimal.  The
 * position is by far the smaller, so the sign stays.
 */
static void
put_large_exponent(StringInfo out, const Number *number)
{
	int64		carry = number->is_tiny ? -number->position : number->position;
	char	   *digits;
	int			i;

	appendStringInfoString(out, number->is_tiny ? "e-" : "e");
	digits = palloc(number->exponent_len + 1);
	digits[0] = '0';
	memcpy(digits + 1, number->exponent, number->exponent_len);
	for (i = number->exponent_len; carry != 0; i--)
	{
		int64		sum = digits[i] - '0' + carry;
		int			digit = ((sum % 10) + 10) % 10;

		digits[i] = '0' + digit;
		carry = (sum - digit) / 10;
	}
	i = digits[0] == '0' ? 1 : 0;
	if (digits[i] == '0')
		i++;
	appendBinaryStringInfo(out, digits + i, number->exponent_len + 1 - i);
	pfree(digits);
}
