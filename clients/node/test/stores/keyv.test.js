// KeyvStore where Keyv's own suite does not look, cache-manager on top of it,
// and Keyv 6.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCache } from 'cache-manager';
import Keyv from 'keyv';
import Keyv6 from 'keyv6';
import { KeyvStore } from 'idemstore/keyv';
import { newClock, newPool } from './support.js';

const newStore = (t, prefix) => new KeyvStore({ pool: newPool(t), prefix });

async function entriesOf(keyv) {
	const found = [];
	for await (const entry of keyv.iterator())
		found.push(entry);
	return found.sort();
}

test('keys come one by one or many at once, in their order', async (t) => {
	const store = newStore(t, 'many:');
	assert.deepEqual(await store.setMany([{ key: 'a', value: '1' }, { key: 'b', value: '2', ttl: 60000 }]), [true, true]);
	assert.equal(await store.set('c', '3'), true);
	assert.deepEqual(await store.getMany(['c', 'absent', 'a', 'c']), ['3', undefined, '1', '3']);
	assert.deepEqual(await store.hasMany(['absent', 'b']), [false, true]);
	assert.deepEqual([await store.has('a'), await store.has('absent')], [true, false]);
	assert.equal(await store.get('absent'), undefined);
	assert.equal(await store.deleteMany(['a', 'absent']), true);
	assert.equal(await store.deleteMany(['a', 'absent']), false);
	assert.deepEqual([await store.delete('b'), await store.delete('b')], [true, false]);
	assert.deepEqual(await store.getMany([]), []);
});

test('a string comes back as it was, and what is not serialised as JSON', async (t) => {
	const store = newStore(t, 'values:');
	for (const value of ['', 'null', '\\', 'é\u0000', '{"a": 1}', { value: [1, null], expires: 5 }, 0, false]) {
		await store.set('k', value);
		assert.deepEqual(await store.get('k'), value);
	}
	const keyv = new Keyv({ store, serialize: undefined, deserialize: undefined });
	await keyv.set('k', { a: [1] });
	assert.deepEqual(await keyv.get('k'), { a: [1] });
});

test('a ttl is in milliseconds, and 0 or none is for ever', async (t) => {
	const { pool, moveOn } = await newClock(t);
	const store = new KeyvStore({ pool, prefix: 'ttl:' });
	const ttls = { none: undefined, zero: 0, infinite: Infinity, half: 500, tiny: 1e-9, over: -1, long: 1e18 };
	for (const [key, ttl] of Object.entries(ttls))
		await store.set(key, key, ttl);
	const live = async () => (await store.getMany(Object.keys(ttls))).filter(Boolean);
	assert.deepEqual(await live(), ['none', 'zero', 'infinite', 'half', 'tiny', 'long']);
	await moveOn(0.4);
	assert.deepEqual(await live(), ['none', 'zero', 'infinite', 'half', 'long']);
	await moveOn(0.2);
	assert.deepEqual(await live(), ['none', 'zero', 'infinite', 'long']);
});

test('clear is for a namespace, and without one for all of this store alone', async (t) => {
	const pool = newPool(t);
	const keyvs = Object.fromEntries(['a_b', 'a%b', undefined].map((namespace) =>
		[namespace, new Keyv({ store: new KeyvStore({ pool, prefix: 'clear:' }), namespace, useKeyPrefix: namespace !== undefined })]));
	const other = new Keyv({ store: new KeyvStore({ pool, prefix: 'clear-not:' }) });
	const all = [...Object.values(keyvs), other];
	await Promise.all(all.map((keyv) => keyv.set('k', 1)));
	const there = () => Promise.all(all.map((keyv) => keyv.has('k')));
	await keyvs.a_b.clear();
	assert.deepEqual(await there(), [false, true, true, true]);
	await keyvs.undefined.clear();
	assert.deepEqual(await there(), [false, false, false, true]);
});

test('an iterator walks through more than a page of one namespace', async (t) => {
	const pool = newPool(t);
	const keyv = new Keyv({ store: new KeyvStore({ pool, prefix: 'walk:' }), namespace: 'n' });
	const other = new Keyv({ store: new KeyvStore({ pool, prefix: 'walk:' }), namespace: 'nn' });
	await other.set('theirs', 1);
	await keyv.setMany(Array.from({ length: 250 }, (_, i) => ({ key: `k:${i}`, value: i })));
	const found = await entriesOf(keyv);
	assert.equal(found.length, 250);
	assert.deepEqual(new Map(found).get('k:249'), 249);
});

test('an error of the database is an event, where the library would hide it', async (t) => {
	const errors = [];
	const keyv = new Keyv({ store: new KeyvStore({ pool: newPool(t, { port: 1 }) }) });
	keyv.on('error', (error) => errors.push(error));
	assert.equal(await keyv.get('k'), undefined);
	assert.equal(errors.length, 1);
	assert.equal(await keyv.set('k', 1), false);
	assert.equal(errors.length, 2);
	await assert.rejects(new KeyvStore({ pool: newPool(t, { port: 1 }) }).get('k'));
});

test('cache-manager works on it', async (t) => {
	const cache = createCache({ stores: [new Keyv({ store: newStore(t, 'manager:') })], ttl: 60000 });
	await cache.clear();
	assert.deepEqual(await cache.set('a', { n: 1 }), { n: 1 });
	assert.deepEqual(await cache.get('a'), { n: 1 });
	assert.equal(await cache.get('absent'), undefined);
	await cache.mset([{ key: 'b', value: 2 }, { key: 'c', value: null, ttl: 1000 }]);
	assert.deepEqual(await cache.mget(['c', 'absent', 'b']), [null, undefined, 2]);
	assert.ok(await cache.ttl('b') > Date.now());
	assert.equal(await cache.del('a'), true);
	assert.equal(await cache.get('a'), undefined);
	assert.equal(await cache.mdel(['b', 'c']), true);
	assert.deepEqual(await cache.mget(['b', 'c']), [undefined, undefined]);

	let calls = 0;
	const compute = async () => ++calls;
	assert.deepEqual(await Promise.all([1, 2, 3].map(() => cache.wrap('w', compute))), [1, 1, 1]);
	assert.equal(await cache.wrap('w', compute), 1);
	assert.equal(await cache.clear(), true);
	assert.equal(await cache.wrap('w', compute), 2);
	await cache.disconnect();
});

test('Keyv 6 works on it', async (t) => {
	const pool = newPool(t);
	const newKeyv = (options) => new Keyv6({ store: new KeyvStore({ pool, prefix: 'six:' }), throwOnErrors: true, ...options });
	const keyv = newKeyv({ namespace: 'a' });
	const other = newKeyv({ namespace: 'b' });
	const bare = newKeyv();
	for (const [each, value] of [[keyv, 1], [other, 2], [bare, 3]])
		assert.equal(await each.set('k', value), true);
	assert.deepEqual([await keyv.get('k'), await other.get('k'), await bare.get('k')], [1, 2, 3]);
	assert.deepEqual(await keyv.setMany([{ key: 'l', value: { a: null } }, { key: 'm', value: 'x', ttl: 60000 }]), [true, true]);
	assert.deepEqual(await keyv.getMany(['l', 'absent', 'm']), [{ a: null }, undefined, 'x']);
	assert.deepEqual(await keyv.hasMany(['k', 'absent']), [true, false]);
	assert.deepEqual(await entriesOf(keyv), [['k', 1], ['l', { a: null }], ['m', 'x']]);
	assert.deepEqual(await keyv.deleteMany(['l', 'm']), [true, true]);
	assert.equal(await keyv.delete('k'), true);
	assert.equal(await keyv.delete('k'), false);

	await keyv.set('k', 1);
	await keyv.clear();
	assert.deepEqual([await keyv.has('k'), await other.has('k'), await bare.has('k')], [false, true, true]);
	await bare.clear();
	assert.deepEqual([await other.has('k'), await bare.has('k')], [false, false]);
	await keyv.disconnect();
	await pool.query('SELECT 1');
});

test('Keyv 6 gives a ttl', async (t) => {
	const { pool } = await newClock(t);
	const keyv = new Keyv6({ store: new KeyvStore({ pool, prefix: 'six-ttl:' }), namespace: 'n' });
	await keyv.set('k', 1, 5000);
	const { rows } = await pool.query("SELECT expires_at FROM idemstore.cache_list('six-ttl:')");
	const leftMs = rows[0].expires_at - Date.parse('2030-01-01T00:00:00Z');
	assert.ok(leftMs > 4000 && leftMs <= 5000, `${leftMs} ms`);
});
