// StorageAdapter and waitCallback of @litert/idempotency, held to the shapes
// that its manager and executor rely on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StorageAdapter, waitCallback } from 'idemstore/litert';
import { AlreadyFinalError, NotFoundError, WaitTimeoutError } from 'idemstore';
import { closing, errorOf, newClock, newPool } from './support.js';

const [PENDING, SUCCESS, FAILED] = [0, 1, 2];
const newAdapter = (t, scope, ttl = 60000) => closing(t, new StorageAdapter({ pool: newPool(t), scope, ttl }));

// What the manager does with its serialisers and an adapter.
function newManager(adapter) {
	return {
		async get(key) {
			const record = await adapter.get(key);
			return record && { key, status: record.status, result: record.result && JSON.parse(record.result) };
		},
	};
}

test('a record is created once', async (t) => {
	const adapter = newAdapter(t, 'create');
	assert.equal(await adapter.get('k'), null);
	assert.equal(await adapter.create({ key: 'k', status: PENDING, context: { user: [1] } }), true);
	assert.equal(await adapter.create({ key: 'k', status: PENDING }), false);
	assert.deepEqual(await adapter.get('k'), { key: 'k', status: PENDING, context: { user: [1] } });
	const created = await Promise.all(Array.from({ length: 20 }, () => adapter.create({ key: 'storm', status: PENDING })));
	assert.equal(created.filter(Boolean).length, 1);
});

test('a result comes back as the same kind', async (t) => {
	const adapter = newAdapter(t, 'kind');
	const results = ['', 'text é\\', '{"a":1}', Buffer.from([0, 92, 255]), Buffer.alloc(0), undefined];
	for (const [index, result] of results.entries())
		for (const status of [SUCCESS, FAILED]) {
			const key = `${index}-${status}`;
			await adapter.create({ key, status: PENDING });
			assert.equal(await adapter.update({ key, status, result }), undefined);
			const record = await adapter.get(key);
			assert.equal(record.status, status);
			assert.deepEqual(record.result, result);
			assert.equal(await adapter.create({ key, status: PENDING }), false);
		}
});

test('a record may be created with its result', async (t) => {
	const adapter = newAdapter(t, 'at-once');
	assert.equal(await adapter.create({ key: 'k', status: SUCCESS, result: 'r' }), true);
	const { status, result } = await adapter.get('k');
	assert.deepEqual([status, result], [SUCCESS, 'r']);
});

test('a final record stays as it is', async (t) => {
	const adapter = newAdapter(t, 'final');
	await adapter.create({ key: 'k', status: PENDING });
	await adapter.update({ key: 'k', status: SUCCESS, result: 'first' });
	await adapter.update({ key: 'k', status: SUCCESS, result: 'first' });
	await assert.rejects(adapter.update({ key: 'k', status: SUCCESS, result: 'second' }), AlreadyFinalError);
	assert.equal(await adapter.update({ key: 'k', status: FAILED, result: 'error' }), undefined);
	const { status, result } = await adapter.get('k');
	assert.deepEqual([status, result], [SUCCESS, 'first']);
});

test('an update creates nothing', async (t) => {
	const adapter = newAdapter(t, 'absent');
	await assert.rejects(adapter.update({ key: 'k', status: SUCCESS, result: 'r' }), NotFoundError);
	assert.equal(await adapter.update({ key: 'k', status: FAILED, result: 'error' }), undefined);
	assert.equal(await adapter.get('k'), null);
	await assert.rejects(adapter.update({ key: 'k', status: PENDING }), TypeError);
});

test('any other error of a failure comes out', async (t) => {
	const adapter = new StorageAdapter({ pool: newPool(t, { port: 1 }), scope: 'away' });
	await assert.rejects(adapter.update({ key: 'k', status: FAILED, result: 'error' }));
	await assert.rejects(adapter.create({ key: 'k', status: PENDING }));
	await assert.rejects(adapter.get('k'));
});

test('the ttl is the adapter\'s, and an update counts it anew', async (t) => {
	const { pool, moveOn } = await newClock(t);
	const adapter = closing(t, new StorageAdapter({ pool, scope: 'ttl', ttl: 10000 }));
	for (const [key, status] of [['success', SUCCESS], ['failed', FAILED], ['pending', PENDING]]) {
		await adapter.create({ key, status: PENDING });
		await moveOn(6);
		if (status !== PENDING)
			await adapter.update({ key, status, result: 'r' });
		await moveOn(6);
		assert.equal((await adapter.get(key))?.status, status === PENDING ? undefined : status);
		await moveOn(6);
		assert.equal(await adapter.get(key), null);
		assert.equal(await adapter.create({ key, status: PENDING }), true);
	}
});

test('waitCallback resolves with the value, or throws the stored error', async (t) => {
	const adapter = newAdapter(t, 'wait');
	const manager = newManager(adapter);
	const wait = waitCallback(adapter);
	for (const key of ['value', 'error'])
		await adapter.create({ key, status: PENDING });
	const waiting = Promise.allSettled([wait('value', manager), wait('error', manager)]);
	await adapter.update({ key: 'value', status: SUCCESS, result: '{"a":1}' });
	await adapter.update({ key: 'error', status: FAILED, result: '"no"' });
	assert.deepEqual(await waiting, [
		{ status: 'fulfilled', value: { a: 1 } },
		{ status: 'rejected', reason: 'no' },
	]);
	assert.deepEqual(await wait('value', manager), { a: 1 });
});

test('waitCallback throws at its timeout, and for what is gone', async (t) => {
	const adapter = newAdapter(t, 'timeout');
	const manager = newManager(adapter);
	await adapter.create({ key: 'k', status: PENDING });
	assert.ok(await errorOf(waitCallback(adapter, { timeoutMs: 50 })('k', manager)) instanceof WaitTimeoutError);
	assert.ok(await errorOf(waitCallback(adapter)('absent', manager)) instanceof NotFoundError);
});

test('scopes keep two applications apart', async (t) => {
	const [adapter, other] = ['apart-a', 'apart-b'].map((scope) => newAdapter(t, scope));
	await adapter.create({ key: 'k', status: PENDING });
	assert.equal(await other.get('k'), null);
	assert.equal(await other.create({ key: 'k', status: PENDING }), true);
});
