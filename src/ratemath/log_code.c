/*
 * log_code.c
 *		A sliding log as bytes.
 *
 * Written are a base instant and, for each run, an offset in the log's unit
 * and a count, four bytes each while all counts fit.  A log takes room for 4,
 * 8, 16, 32 or 64 runs; what no run uses is zero.
 */
#include "postgres.h"

#include "ratemath/bytes.h"
#include "ratemath/log.h"
#include "ratemath/ratemath.h"

#define HEADER_SIZE (2 * sizeof(uint8) + 2 * sizeof(int64))

StaticAssertDecl(1 + HEADER_SIZE + IDEM_MAX_RUNS * (sizeof(uint32) + sizeof(int64)) == IDEM_RATE_MAX_LOG_SIZE,
				 "the algorithm's byte and a full log with large counts");

/* Runs are copied in blocks of so many, which the compiler makes vectors. */
#define BLOCK 4

static char *put_narrow(const int64 *values, int n, int64 base, int shift,
						char *bytes);
static const char *get_narrow(int64 *values, int n, int64 base, int shift,
							  const char *bytes);
static char *put_wide(const int64 *values, int n, char *bytes);
static const char *get_wide(int64 *values, int n, const char *bytes);
static int	room_for(int length);
static bool is_wide(const IdemRunLog *log);

char *
idem_ratemath_log_encode(const IdemRunLog *log, char *bytes)
{
	int64		base = log->length > 0 ? log->at[0] : 0;
	bool		wide = is_wide(log);
	uint8		length = log->length;

	PUT(bytes, length);
	PUT(bytes, wide);
	PUT(bytes, log->window);
	PUT(bytes, base);
	bytes = put_narrow(log->at, log->length, base,
					   idem_ratemath_log_shift(log->window), bytes);
	return wide ? put_wide(log->count, log->length, bytes) :
		put_narrow(log->count, log->length, 0, 0, bytes);
}

const char *
idem_ratemath_log_decode(IdemRunLog *log, const char *bytes)
{
	uint8		length;
	bool		wide;
	int64		base;

	GET(bytes, length);
	GET(bytes, wide);
	GET(bytes, log->window);
	GET(bytes, base);
	log->length = length;
	bytes = get_narrow(log->at, log->length, base,
					   idem_ratemath_log_shift(log->window), bytes);
	return wide ? get_wide(log->count, log->length, bytes) :
		get_narrow(log->count, log->length, 0, 0, bytes);
}

/* Any counts do no harm. */
bool
idem_ratemath_log_is_sound(const char **bytes, const char *end)
{
	uint8		length;
	uint8		wide;
	int64		window;
	int64		base;
	Size		size;

	if (end - *bytes < HEADER_SIZE)
		return false;
	GET(*bytes, length);
	GET(*bytes, wide);
	GET(*bytes, window);
	GET(*bytes, base);
	if (length > IDEM_MAX_RUNS || wide > 1 || !is_span(window) || !is_instant(base))
		return false;
	size = room_for(length) * (sizeof(uint32) + (wide ? sizeof(int64) : sizeof(uint32)));
	if (end - *bytes < size)
		return false;
	*bytes += size;
	return true;
}

static bool
is_wide(const IdemRunLog *log)
{
	const int64 *count = log->count;
	int64		even = 0;
	int64		odd = 0;
	int			n = log->length;

	for (; n >= 2; n -= 2)
	{
		even |= *count++;
		odd |= *count++;
	}
	if (n > 0)
		even |= *count;
	return (even | odd) > PG_UINT32_MAX;
}

/* Few sizes, so that a state seldom outgrows its place. */
static int
room_for(int length)
{
	int			room = 4;

	while (room < length)
		room *= 2;
	return room;
}

/* values as 32-bit multiples of 2^shift above a base */
static char *
put_narrow(const int64 *values, int n, int64 base, int shift, char *bytes)
{
	char	   *end = bytes + room_for(n) * sizeof(uint32);
	uint32		block[BLOCK];
	int			i;

	for (; n >= BLOCK; n -= BLOCK)
	{
		for (i = 0; i < BLOCK; i++)
			block[i] = (uint32) ((uint64) (values[i] - base) >> shift);
		PUT(bytes, block);
		values += BLOCK;
	}
	for (; n > 0; n--)
	{
		block[0] = (uint32) ((uint64) (*values++ - base) >> shift);
		PUT(bytes, block[0]);
	}
	memset(bytes, 0, end - bytes);
	return end;
}

/* The last block may write some values more than there are. */
static const char *
get_narrow(int64 *values, int n, int64 base, int shift, const char *bytes)
{
	const char *end = bytes + room_for(n) * sizeof(uint32);
	uint32		block[BLOCK];
	int			i;

	for (; n > 0; n -= BLOCK)
	{
		GET(bytes, block);
		for (i = 0; i < BLOCK; i++)
			values[i] = base + (int64) ((uint64) block[i] << shift);
		values += BLOCK;
	}
	return end;
}

static char *
put_wide(const int64 *values, int n, char *bytes)
{
	int			room = room_for(n);

	memcpy(bytes, values, n * sizeof(int64));
	memset(bytes + n * sizeof(int64), 0, (room - n) * sizeof(int64));
	return bytes + room * sizeof(int64);
}

static const char *
get_wide(int64 *values, int n, const char *bytes)
{
	memcpy(values, bytes, n * sizeof(int64));
	return bytes + room_for(n) * sizeof(int64);
}
