/*
 * code.c
 *		The state of a rate limit as bytes, at any alignment.
 *
 * What the bytes mean must not change while servers hold some: a new form
 * needs a new first byte.
 */
#include "postgres.h"

#include "ratemath/bytes.h"
#include "ratemath/log.h"
#include "ratemath/ratemath.h"

#define BUCKET_SIZE (3 * sizeof(int64) + sizeof(int128))
#define FIXED_SIZE (3 * sizeof(int64))

/*
 * In place of a span after which version 0.2.0 forgot all: one that it takes
 * for sound.
 */
#define NO_RETENTION	INT64CONST(1)

/* what precedes the logs */
#define ADAPTIVE_HEADER_SIZE (6 * sizeof(int64) + 3 * sizeof(uint8))

static bool is_sound_adaptive(const char *bytes, const char *end);
static char *encode_bucket(const IdemTokenBucket *bucket, char *bytes);
static void decode_bucket(IdemTokenBucket *bucket, const char *bytes);
static char *encode_fixed(const IdemFixedWindow *fixed, char *bytes);
static void decode_fixed(IdemFixedWindow *fixed, const char *bytes);
static char *encode_adaptive(const IdemAdaptiveState *state, char *bytes);
static void decode_adaptive(IdemAdaptiveState *state, const char *bytes);
static const char *decode_adaptive_header(IdemAdaptiveState *state, const char *bytes);

Size
idem_ratemath_encode(const IdemRateState *state, char *bytes)
{
	char	   *end = bytes;

	*end++ = (char) state->algorithm;
	switch (state->algorithm)
	{
		case IDEM_SLIDING_WINDOW:
			end = idem_ratemath_log_encode(&state->as.log, end);
			break;
		case IDEM_TOKEN_BUCKET:
			end = encode_bucket(&state->as.bucket, end);
			break;
		case IDEM_FIXED_WINDOW:
		case IDEM_CALENDAR_WINDOW:
			end = encode_fixed(&state->as.fixed, end);
			break;
		case IDEM_ADAPTIVE:
			end = encode_adaptive(&state->as.adaptive, end);
			break;
		case IDEM_RATE_NOTHING:
			break;
	}
	Assert(end - bytes <= IDEM_RATE_MAX_ENCODED_SIZE);
	return end - bytes;
}

void
idem_ratemath_decode(IdemRateState *state, const char *bytes)
{
	state->algorithm = (IdemRateAlgorithm) *bytes++;
	switch (state->algorithm)
	{
		case IDEM_SLIDING_WINDOW:
			idem_ratemath_log_decode(&state->as.log, bytes);
			return;
		case IDEM_TOKEN_BUCKET:
			decode_bucket(&state->as.bucket, bytes);
			return;
		case IDEM_FIXED_WINDOW:
		case IDEM_CALENDAR_WINDOW:
			decode_fixed(&state->as.fixed, bytes);
			return;
		case IDEM_ADAPTIVE:
			decode_adaptive(&state->as.adaptive, bytes);
			return;
		case IDEM_RATE_NOTHING:
			break;
	}
	state->algorithm = IDEM_RATE_NOTHING;
}

bool
idem_ratemath_is_sound(const char *bytes, Size size)
{
	const char *end = bytes + size;
	IdemTokenBucket bucket;
	IdemFixedWindow fixed;

	if (size < 1)
		return false;
	switch ((IdemRateAlgorithm) *bytes++)
	{
		case IDEM_SLIDING_WINDOW:
			return idem_ratemath_log_is_sound(&bytes, end);
		case IDEM_TOKEN_BUCKET:
			if (end - bytes < BUCKET_SIZE)
				return false;
			decode_bucket(&bucket, bytes);
			return bucket.refill > 0 && is_span(bucket.period) &&
				is_instant(bucket.last) && bucket.missing >= 0 &&
				bucket.missing <= (int128) PG_INT64_MAX * bucket.period;
		case IDEM_FIXED_WINDOW:
		case IDEM_CALENDAR_WINDOW:
			if (end - bytes < FIXED_SIZE)
				return false;
			decode_fixed(&fixed, bytes);
			return is_span(fixed.period) && is_instant(fixed.start) && fixed.count >= 0;
		case IDEM_ADAPTIVE:
			return is_sound_adaptive(bytes, end);
		case IDEM_RATE_NOTHING:
			break;
	}
	return true;
}

static bool
is_sound_adaptive(const char *bytes, const char *end)
{
	IdemAdaptiveState state;

	if (end - bytes < ADAPTIVE_HEADER_SIZE)
		return false;
	bytes = decode_adaptive_header(&state, bytes);
	return state.reason <= IDEM_SPLIT_HIGH &&
		(state.last == PG_INT64_MIN || is_instant(state.last)) &&
		(!state.has_user || is_instant(state.last_user)) &&
		is_instant(state.recalculate_at) &&
		state.user_reserved >= 0 && state.background_max >= 0 &&
		state.user_reserved <= PG_INT64_MAX - state.background_max &&
		idem_ratemath_log_is_sound(&bytes, end) &&
		idem_ratemath_log_is_sound(&bytes, end) && idem_ratemath_log_is_sound(&bytes, end);
}

static char *
encode_bucket(const IdemTokenBucket *bucket, char *bytes)
{
	PUT(bytes, bucket->last);
	PUT(bytes, bucket->refill);
	PUT(bytes, bucket->period);
	PUT(bytes, bucket->missing);
	return bytes;
}

static void
decode_bucket(IdemTokenBucket *bucket, const char *bytes)
{
	GET(bytes, bucket->last);
	GET(bytes, bucket->refill);
	GET(bytes, bucket->period);
	GET(bytes, bucket->missing);
}

static char *
encode_fixed(const IdemFixedWindow *fixed, char *bytes)
{
	PUT(bytes, fixed->start);
	PUT(bytes, fixed->period);
	PUT(bytes, fixed->count);
	return bytes;
}

static void
decode_fixed(IdemFixedWindow *fixed, const char *bytes)
{
	GET(bytes, fixed->start);
	GET(bytes, fixed->period);
	GET(bytes, fixed->count);
}

static char *
encode_adaptive(const IdemAdaptiveState *state, char *bytes)
{
	uint8		reason = state->reason;
	int64		unused = NO_RETENTION;

	PUT(bytes, state->last_user);
	PUT(bytes, state->last);
	PUT(bytes, unused);
	PUT(bytes, state->recalculate_at);
	PUT(bytes, state->user_reserved);
	PUT(bytes, state->background_max);
	PUT(bytes, state->has_user);
	PUT(bytes, state->background_paused);
	PUT(bytes, reason);
	bytes = idem_ratemath_log_encode(&state->user, bytes);
	bytes = idem_ratemath_log_encode(&state->background, bytes);
	return idem_ratemath_log_encode(&state->activity, bytes);
}

static void
decode_adaptive(IdemAdaptiveState *state, const char *bytes)
{
	bytes = decode_adaptive_header(state, bytes);
	bytes = idem_ratemath_log_decode(&state->user, bytes);
	bytes = idem_ratemath_log_decode(&state->background, bytes);
	idem_ratemath_log_decode(&state->activity, bytes);
}

static const char *
decode_adaptive_header(IdemAdaptiveState *state, const char *bytes)
{
	uint8		has_user;
	uint8		is_paused;
	uint8		reason;
	int64		unused;

	GET(bytes, state->last_user);
	GET(bytes, state->last);
	GET(bytes, unused);
	GET(bytes, state->recalculate_at);
	GET(bytes, state->user_reserved);
	GET(bytes, state->background_max);
	GET(bytes, has_user);
	GET(bytes, is_paused);
	GET(bytes, reason);
	state->has_user = has_user != 0;
	state->background_paused = is_paused != 0;
	state->reason = (IdemSplitReason) reason;
	return bytes;
}
