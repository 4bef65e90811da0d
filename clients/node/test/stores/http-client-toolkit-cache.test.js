// CacheStore of http-client-toolkit, held to the shape that its client relies on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CacheStore } from 'idemstore/http-client-toolkit';
import { TooLargeError } from 'idemstore';
import { errorOf, newClock, newPool } from './support.js';

const newStore = (t, prefix) => new CacheStore({ pool: newPool(t), prefix });

test('a value comes back as it was, null too, and a miss is undefined', async (t) => {
	const store = newStore(t, 'values:');
	for (const value of [null, 0, false, '', 'é\u0000\ud800', 1e21, [], [null], {}, { a: { b: ['"', '\\'] } }]) {
		assert.equal(await store.set('h', value, 60), undefined);
		assert.deepEqual(await store.get('h'), value);
	}
	assert.equal(await store.get('absent'), undefined);
	assert.equal(await store.delete('h'), undefined);
	assert.equal(await store.get('h'), undefined);
	assert.equal(await store.delete('h'), undefined);
});

test('what JSON has no word for is a miss, and what it cannot say an error', async (t) => {
	const store = newStore(t, 'undefined:');
	await store.set('h', 1, 60);
	await store.set('h', undefined, 60);
	assert.equal(await store.get('h'), undefined);
	await store.setWithTags('h', () => {}, 60, ['tag']);
	assert.equal(await store.get('h'), undefined);
	await assert.rejects(store.set('h', 1n, 60), TypeError);
});

test('a ttl is in seconds: above 0 expires, 0 never, below 0 is over', async (t) => {
	const { pool, moveOn } = await newClock(t);
	const store = new CacheStore({ pool, prefix: 'ttl:' });
	const ttls = { second: 1, fraction: 0.25, tiny: 1e-9, never: 0, infinite: Infinity, over: -1, justOver: -1e-9, long: 1e15 };
	for (const [hash, ttl] of Object.entries(ttls))
		await store.set(hash, hash, ttl);
	const live = async () => {
		const found = await Promise.all(Object.keys(ttls).map((hash) => store.get(hash)));
		return found.filter((value) => value !== undefined);
	};
	assert.deepEqual(await live(), ['second', 'fraction', 'tiny', 'never', 'infinite', 'long']);
	await moveOn(0.2);
	assert.deepEqual(await live(), ['second', 'fraction', 'never', 'infinite', 'long']);
	await moveOn(0.1);
	assert.deepEqual(await live(), ['second', 'never', 'infinite', 'long']);
	await moveOn(9 * 365 * 86400);
	assert.deepEqual(await live(), ['never', 'infinite', 'long']);
	const never = (await store.listEntries()).filter(({ expiresAt }) => expiresAt === 0);
	assert.deepEqual(never.map(({ hash }) => hash), ['infinite', 'never']);
});

test('a set replaces value and ttl, and an over one removes', async (t) => {
	const { pool, moveOn } = await newClock(t);
	const store = new CacheStore({ pool, prefix: 'again:' });
	await store.set('h', 1, 1);
	await store.set('h', 2, 0);
	await moveOn(2);
	assert.equal(await store.get('h'), 2);
	await store.set('h', 3, -1);
	assert.equal(await store.get('h'), undefined);
});

test('clear takes a scope byte for byte, and without one all of this store alone', async (t) => {
	const store = newStore(t, 'clear_a:');
	const other = newStore(t, 'clear%a:');
	for (const hash of ['api:1', 'api:2', 'API:1', 'a_i:1', 'a%:1'])
		await Promise.all([store.set(hash, hash, 0), other.set(hash, hash, 0)]);
	const left = async (of) => (await of.listEntries()).map(({ hash }) => hash);

	assert.equal(await store.clear('api:'), undefined);
	assert.deepEqual(await left(store), ['API:1', 'a%:1', 'a_i:1']);
	await store.clear('a_');
	assert.deepEqual(await left(store), ['API:1', 'a%:1']);
	await store.clear('a%');
	assert.deepEqual(await left(store), ['API:1']);
	await store.clear();
	assert.deepEqual(await left(store), []);
	assert.equal((await left(other)).length, 5);
});

test('set keeps the tags, setWithTags replaces them, and a count is a number', async (t) => {
	const store = newStore(t, 'tags:');
	const other = newStore(t, 'tags-other:');
	await store.setWithTags('kept', 1, 60, ['a', 'a', 'b']);
	await store.set('kept', 2, 60);
	await store.setWithTags('replaced', 1, 60, ['a']);
	await store.setWithTags('replaced', 2, 60, ['c']);
	await store.setWithTags('cleared', 1, 60, ['a']);
	await store.setWithTags('cleared', 2, 60, []);
	await other.setWithTags('theirs', 1, 60, ['a', 'c']);

	assert.equal(await store.invalidateByTag('a'), 1);
	assert.equal(await store.get('kept'), undefined);
	assert.equal(await store.invalidateByTag('b'), 0);
	assert.equal(await store.invalidateByTag('unknown'), 0);
	assert.equal(await store.invalidateByTags([]), 0);
	assert.equal(await store.get('replaced'), 2);
	await store.setWithTags('both', 1, 60, ['c', 'd']);
	assert.equal(await store.invalidateByTags(['c', 'd', 'c']), 2);
	assert.equal(await store.get('cleared'), 2);
	assert.equal(await other.get('theirs'), 1);
});

test('a count leaves out what had expired', async (t) => {
	const { pool, moveOn } = await newClock(t);
	const store = new CacheStore({ pool, prefix: 'expired-tags:' });
	await store.setWithTags('short', 1, 1, ['tag']);
	await store.setWithTags('long', 1, 10, ['tag']);
	await moveOn(2);
	assert.equal(await store.invalidateByTag('tag'), 1);
});

test('a value that is too large is an error, and the entry stays', async (t) => {
	const store = newStore(t, 'large:');
	await store.setWithTags('h', 'small', 60, ['tag']);
	await assert.rejects(store.setWithTags('h', 'x'.repeat(6 << 20), 60, ['other']), TooLargeError);
	assert.equal(await store.get('h'), 'small');
	assert.equal(await store.invalidateByTag('tag'), 1);
});

test('a bad tag and a bad ttl are errors', async (t) => {
	const store = newStore(t, 'bad:');
	await assert.rejects(store.set('h', 1, NaN));
	const many = Array.from({ length: 257 }, (_, i) => `tag${i}`);
	assert.equal((await errorOf(store.setWithTags('h', 1, 60, many))).code, '54000');
	assert.equal((await errorOf(store.set('x'.repeat(1025), 1, 60))).code, '54000');
});

test('a set while an invalidation is open stores nothing, and no error', async (t) => {
	const pool = newPool(t);
	const store = new CacheStore({ pool, prefix: 'open:' });
	const client = await pool.connect();
	await client.query('BEGIN');
	await client.query("SELECT idemstore.invalidate_by_tag('open:tag')");
	assert.equal(await store.setWithTags('h', 1, 60, ['tag']), undefined);
	await client.query('COMMIT');
	client.release();
	assert.equal(await store.get('h'), undefined);
});

test('the dashboard lists and counts the entries of this store', async (t) => {
	const { pool } = await newClock(t);
	const store = new CacheStore({ pool, prefix: 'list:' });
	assert.deepEqual(await store.getStats(), { totalItems: 0, expiredItems: 0, databaseSizeKB: 0 });
	await store.setWithTags('b', 'xx', 60, ['tag']);
	await store.set('a', 1, 0);
	await store.set('c', 'x'.repeat(2000), 0);
	await store.set('over', 1, -1);

	assert.deepEqual(await store.listEntries(0, 2), [
		{ hash: 'a', expiresAt: 0, size: 1, tags: [] },
		{ hash: 'b', expiresAt: Date.parse('2030-01-01T00:01:00Z'), size: 4, tags: ['tag'] },
	]);
	assert.deepEqual((await store.listEntries(2, 2)).map(({ hash }) => hash), ['c']);
	assert.deepEqual(await store.listEntries(3), []);
	assert.deepEqual(await store.listEntries(0, 0), []);
	assert.deepEqual(await store.getStats(), { totalItems: 3, expiredItems: 0, databaseSizeKB: 2 });
});

test('a list longer than a page is walked', async (t) => {
	const pool = newPool(t);
	const store = new CacheStore({ pool, prefix: 'walk:' });
	await pool.query(`SELECT idemstore.cache_set('walk:' || to_char(i, 'fm0000'), '1') FROM generate_series(1, 2500) AS i`);
	assert.equal((await store.getStats()).totalItems, 2500);
	assert.deepEqual((await store.listEntries(2499, 10)).map(({ hash }) => hash), ['2500']);
	await store.clear();
});
