import { createHash } from 'node:crypto';

/**
 * Which of so many shards, 0 to shards - 1, a key belongs to, as
 * idemstore.shard() in SQL: jump consistent hash (Lamping and Veach) over the
 * first eight bytes of the SHA-256 of the key's UTF-8.
 *
 * @param {string} key
 * @param {number} shards
 */
export function shard(key, shards) {
	if (!Number.isInteger(shards) || shards < 1)
		throw new RangeError('the number of shards must be at least 1');
	let state = createHash('sha256').update(key).digest().readBigUInt64BE();
	let found = 0;
	for (let next = 0; next < shards;) {
		found = next;
		state = BigInt.asUintN(64, state * 2862933555777941757n + 1n);
		next = Math.floor((found + 1) * (2 ** 31 / (Number(state >> 33n) + 1)));
	}
	return found;
}
