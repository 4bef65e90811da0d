// What a store that is closed leaves behind: nothing of its own, and all that
// it was given.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { AdaptiveRateLimitStore, CacheStore, DedupeStore, RateLimitStore } from 'idemstore/http-client-toolkit';
import { RateLimitStore as ExpressStore } from 'idemstore/express-rate-limit';
import { rateLimitStore } from 'idemstore/fastify-rate-limit';
import { IdempotencyStore } from 'idemstore/idempot';
import { Idemstore } from 'idemstore';
import { KeyvStore } from 'idemstore/keyv';
import { StorageAdapter } from 'idemstore/litert';
import { newPool } from './support.js';

const stores = {
	CacheStore: [(options) => new CacheStore(options), (store) => store.destroy()],
	DedupeStore: [(options) => new DedupeStore(options), (store) => store.destroy()],
	RateLimitStore: [(options) => new RateLimitStore(options), (store) => store.close()],
	AdaptiveRateLimitStore: [(options) => new AdaptiveRateLimitStore(options), (store) => store.close()],
	'express-rate-limit': [(options) => new ExpressStore(options), (store) => store.shutdown()],
	'fastify-rate-limit': [(options) => rateLimitStore(options), (Store) => Store.close()],
	IdempotencyStore: [(options) => new IdempotencyStore(options), (store) => store.close()],
	KeyvStore: [(options) => new KeyvStore(options), (store) => store.disconnect()],
	StorageAdapter: [(options) => new StorageAdapter(options), (store) => store.close()],
};

for (const [name, [create, closeStore]] of Object.entries(stores)) {
	test(`${name} leaves a pool open that was given`, async (t) => {
		const pool = newPool(t);
		await closeStore(create({ pool }));
		assert.equal((await pool.query('SELECT 1 AS one')).rows[0].one, 1);
	});

	test(`${name} leaves an Idemstore open that was given`, async (t) => {
		const idemstore = new Idemstore({ pool: newPool(t) });
		const close = t.mock.method(idemstore, 'close');
		await closeStore(create({ idemstore }));
		assert.equal(close.mock.callCount(), 0);
		assert.equal(await idemstore.cacheGet('absent'), undefined);
		await idemstore.close();
	});

	test(`${name} needs a pool or an Idemstore`, () => {
		assert.throws(() => create({}), TypeError);
	});
}

test('the connections of who waited end with the store, and those of the pool stay', async (t) => {
	const pools = [];
	class WatchedPool extends pg.Pool {
		constructor(options) {
			super(options);
			pools.push(this);
		}
	}
	const pool = new WatchedPool();
	t.after(() => pool.end());
	const store = new DedupeStore({ pool, prefix: 'close:', timeoutMs: 20 });
	await store.register('h');
	await store.waitFor('h');
	assert.deepEqual(pools.map(({ ended }) => ended), [false, false]);
	await store.destroy();
	assert.deepEqual(pools.map(({ ended, totalCount }) => [ended, totalCount]), [[false, 1], [true, 0]]);
});
