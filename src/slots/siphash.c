/*
 * siphash.c
 *		SipHash-2-4: a hash that nobody can foretell who does not know its key.
 *
 * Words are read from the data least byte first, whatever the machine's order.
 */
#include "postgres.h"

#include "slots/siphash.h"

typedef struct SipState
{
	uint64		v0;
	uint64		v1;
	uint64		v2;
	uint64		v3;
} SipState;

static uint64 read_word(const unsigned char *bytes, int n);
static inline void compress(SipState *state, uint64 word);
static inline void sip_round(SipState *state);
static inline uint64 rotate(uint64 word, int bits);

uint64
idem_slots_siphash(const uint64 key[2], const void *data, Size size)
{
	const unsigned char *bytes = data;
	const unsigned char *last_word = bytes + (size - size % 8);
	SipState	state = {
		key[0] ^ UINT64CONST(0x736f6d6570736575),
		key[1] ^ UINT64CONST(0x646f72616e646f6d),
		key[0] ^ UINT64CONST(0x6c7967656e657261),
		key[1] ^ UINT64CONST(0x7465646279746573)
	};
	int			i;

	for (; bytes < last_word; bytes += 8)
		compress(&state, read_word(bytes, 8));
	compress(&state, read_word(bytes, size % 8) | (uint64) size << 56);
	state.v2 ^= 0xff;
	for (i = 0; i < 4; i++)
		sip_round(&state);
	return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

static uint64
read_word(const unsigned char *bytes, int n)
{
	uint64		word = 0;
	int			i;

	for (i = 0; i < n; i++)
		word |= (uint64) bytes[i] << (8 * i);
	return word;
}

static inline void
compress(SipState *state, uint64 word)
{
	state->v3 ^= word;
	sip_round(state);
	sip_round(state);
	state->v0 ^= word;
}

static inline void
sip_round(SipState *state)
{
	state->v0 += state->v1;
	state->v1 = rotate(state->v1, 13) ^ state->v0;
	state->v0 = rotate(state->v0, 32);
	state->v2 += state->v3;
	state->v3 = rotate(state->v3, 16) ^ state->v2;
	state->v0 += state->v3;
	state->v3 = rotate(state->v3, 21) ^ state->v0;
	state->v2 += state->v1;
	state->v1 = rotate(state->v1, 17) ^ state->v2;
	state->v2 = rotate(state->v2, 32);
}

static inline uint64
rotate(uint64 word, int bits)
{
	return word << bits | word >> (64 - bits);
}
