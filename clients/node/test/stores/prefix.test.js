// Stores on an Idemstore that has a prefix of its own: what they list has the
// names that they were given.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Keyv from 'keyv';
import { Idemstore } from 'idemstore';
import { AdaptiveRateLimitStore, CacheStore, DedupeStore, RateLimitStore } from 'idemstore/http-client-toolkit';
import { IdempotencyStore } from 'idemstore/idempot';
import { KeyvStore } from 'idemstore/keyv';
import { StorageAdapter } from 'idemstore/litert';
import { newPool } from './support.js';

function newIdemstore(t, prefix) {
	const idemstore = new Idemstore({ pool: newPool(t), prefix });
	t.after(() => idemstore.close());
	return idemstore;
}

// The same store for two applications.
const newPair = (t, create) => ['app_a:', 'app%a:'].map((prefix) => create(newIdemstore(t, prefix)));

test('CacheStore', async (t) => {
	const [store, other] = newPair(t, (idemstore) => new CacheStore({ idemstore }));
	for (const each of [store, other])
		await each.setWithTags('h', 1, 60, ['tag']);
	assert.deepEqual((await store.listEntries()).map(({ hash, tags }) => [hash, tags]), [['h', ['tag']]]);
	assert.equal(await store.invalidateByTag('tag'), 1);
	await store.set('h', 1, 60);
	await store.clear();
	assert.equal(await store.get('h'), undefined);
	assert.equal(await other.get('h'), 1);
});

test('DedupeStore', async (t) => {
	const [store, other] = newPair(t, (idemstore) => new DedupeStore({ idemstore }));
	for (const each of [store, other])
		assert.equal((await each.registerOrJoin('h')).isOwner, true);
	assert.deepEqual((await store.listJobs()).map(({ hash }) => hash), ['h']);
	await store.clear('h');
	assert.equal(await store.isInProgress('h'), false);
	assert.equal(await other.isInProgress('h'), true);
});

for (const Store of [RateLimitStore, AdaptiveRateLimitStore])
	test(Store.name, async (t) => {
		const [store, other] = newPair(t, (idemstore) => new Store({ idemstore }));
		for (const each of [store, other]) {
			await each.record('r');
			await each.setCooldown('o', Date.now() + 60000);
		}
		assert.deepEqual((await store.listResources()).map(({ resource, requestCount }) => [resource, requestCount]), [['r', 1]]);
		await store.clear();
		assert.deepEqual(await store.listResources(), []);
		assert.equal(await store.getCooldown('o'), undefined);
		assert.equal((await other.listResources()).length, 1);
		assert.equal(typeof await other.getCooldown('o'), 'number');
	});

test('IdempotencyStore', async (t) => {
	const [store, other] = newPair(t, (idemstore) => new IdempotencyStore({ idemstore, scope: 'prefix' }));
	for (const each of [store, other])
		await each.startProcessing('k', 'f', 60000);
	const { byKey, byFingerprint } = await store.lookup('k', 'f');
	assert.deepEqual([byKey.key, byFingerprint.key], ['k', 'k']);
});

test('StorageAdapter', async (t) => {
	const [store, other] = newPair(t, (idemstore) => new StorageAdapter({ idemstore, scope: 'prefix-litert' }));
	for (const each of [store, other])
		assert.equal(await each.create({ key: 'k', status: 0 }), true);
	assert.equal((await store.get('k')).key, 'k');
});

test('KeyvStore', async (t) => {
	const [keyv, other] = newPair(t, (idemstore) => new Keyv({ store: new KeyvStore({ idemstore }) }));
	for (const each of [keyv, other])
		await each.set('k', 1);
	for await (const [key, value] of keyv.iterator())
		assert.deepEqual([key, value], ['k', 1]);
	await keyv.clear();
	assert.deepEqual([await keyv.has('k'), await other.has('k')], [false, true]);
});
