/*
 * shard.c
 *		Which of several databases a key belongs to.
 *
 * Clients in other languages compute the same, and a key that two of them place
 * differently is worked on twice: what is hashed here must never change.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "port/pg_bswap.h"

#include "api/args.h"
#include "pg/utf8.h"

PG_FUNCTION_INFO_V1(idemstore_shard);

static uint64 hash_key(const text *key);
static int32 jump(uint64 hash, int32 shards);

Datum
idemstore_shard(PG_FUNCTION_ARGS)
{
	int32		shards;

	idem_args_require_not_null(fcinfo, 0, "key");
	shards = idem_args_positive_int(fcinfo, 1, "shards");
	PG_RETURN_INT32(jump(hash_key(PG_GETARG_TEXT_PP(0)), shards));
}

/* the first eight bytes of SHA-256, the most significant first */
static uint64
hash_key(const text *key)
{
	int			len;
	const char *utf8 = idem_utf8_encode(key, &len);
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	uint64		first;

	if (pg_cryptohash_init(hash) < 0 ||
		pg_cryptohash_update(hash, (const uint8 *) utf8, len) < 0 ||
		pg_cryptohash_final(hash, digest, sizeof(digest)) < 0)
		elog(ERROR, "could not compute SHA-256");
	pg_cryptohash_free(hash);
	memcpy(&first, digest, sizeof(first));
	return pg_ntoh64(first);
}

/*
 * Jump consistent hash (Lamping and Veach): from n shards to n + 1, one key in
 * n + 1 moves, and to the new shard.
 */
static int32
jump(uint64 hash, int32 shards)
{
	int64		shard = -1;
	int64		next = 0;

	while (next < shards)
	{
		shard = next;
		hash = hash * UINT64CONST(2862933555777941757) + 1;
		next = (int64) ((shard + 1) * ((double) (INT64CONST(1) << 31) / (double) ((hash >> 33) + 1)));
	}
	return (int32) shard;
}
