// IdempotencyStore of idempot, held to the shape that its middleware relies on.
// @idempot/core is not on npm: a module of that name with its error class
// stands in.
import assert from 'node:assert/strict';
import { register } from 'node:module';
import { test } from 'node:test';
import { IdempotencyStore } from 'idemstore/idempot';
import { NotFoundError } from 'idemstore';
import { errorOf, newClock, newPool } from './support.js';

const core = `data:text/javascript,${encodeURIComponent('export class IdempotencyKeyExistsError extends Error {}')}`;
register(`data:text/javascript,${encodeURIComponent(`
	export function resolve(specifier, context, next) {
		return specifier === '@idempot/core' ? { url: ${JSON.stringify(core)}, shortCircuit: true } : next(specifier, context);
	}`)}`);
const { IdempotencyKeyExistsError } = await import('@idempot/core');

const response = { status: 201, headers: { 'content-type': 'application/json' }, body: '{"id":"\\\\é"}' };
const newStore = (t, options) => new IdempotencyStore({ pool: newPool(t), ...options });

// What the middleware does, in its order.
async function handle(store, key, fingerprint, respond) {
	const decide = ({ byKey, byFingerprint }) => {
		if (byKey && byKey.fingerprint !== fingerprint)
			return { status: 422 };
		if (byKey?.status === 'processing')
			return { status: 409 };
		if (byFingerprint && byFingerprint.key !== key)
			return { status: 409 };
		return byKey?.response;
	};
	const known = decide(await store.lookup(key, fingerprint));
	if (known)
		return known;
	try {
		await store.startProcessing(key, fingerprint, 60000);
	} catch (error) {
		if (error instanceof IdempotencyKeyExistsError)
			return decide(await store.lookup(key, fingerprint)) ?? { status: 409 };
		throw error;
	}
	const answer = await respond();
	await store.complete(key, answer);
	return answer;
}

test('an empty store has null both ways', async (t) => {
	const store = newStore(t);
	assert.deepEqual(await store.lookup('absent', 'absent'), { byKey: null, byFingerprint: null });
});

test('a started request is found by key and by fingerprint', async (t) => {
	const { pool } = await newClock(t);
	const store = new IdempotencyStore({ pool, scope: 'found' });
	assert.equal(await store.startProcessing('k', 'f', 60000), undefined);
	const record = { key: 'k', fingerprint: 'f', status: 'processing', expiresAt: Date.parse('2030-01-01T00:01:00Z') };
	assert.deepEqual(await store.lookup('k', 'f'), { byKey: record, byFingerprint: record });
	assert.deepEqual(await store.lookup('other', 'f'), { byKey: null, byFingerprint: record });
	assert.deepEqual(await store.lookup('k', 'other'), { byKey: record, byFingerprint: null });
});

test('a response comes back as it was', async (t) => {
	const store = newStore(t, { scope: 'response' });
	for (const [key, answer] of Object.entries({
		full: response,
		empty: { status: 204, headers: {}, body: '' },
		failed: { status: 500, headers: {}, body: 'no' },
	})) {
		await store.startProcessing(key, key, 60000);
		assert.equal(await store.complete(key, answer), undefined);
		const { byKey } = await store.lookup(key, key);
		assert.equal(byKey.status, 'complete');
		assert.deepEqual(byKey.response, answer);
	}
});

test('a rival is an error of the middleware\'s own class, whatever the outcome', async (t) => {
	const pool = newPool(t);
	const [store, other] = [1, 2].map(() => new IdempotencyStore({ pool, scope: 'rival' }));
	await store.startProcessing('k', 'f', 60000);
	for (const [each, fingerprint] of [[other, 'f'], [other, 'other'], [store, 'f']])
		assert.ok(await errorOf(each.startProcessing('k', fingerprint, 60000)) instanceof IdempotencyKeyExistsError);
	await store.complete('k', response);
	assert.ok(await errorOf(other.startProcessing('k', 'f', 60000)) instanceof IdempotencyKeyExistsError);
});

test('60 requests with one key through two stores are one execution', async (t) => {
	const stores = [1, 2].map(() => newStore(t, { scope: 'storm' }));
	let executions = 0;
	const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => handle(stores[i % 2], 'k', 'f', async () => {
		executions++;
		await new Promise((resolve) => setTimeout(resolve, 50));
		return response;
	})));
	assert.equal(executions, 1);
	assert.ok(answers.every(({ status }) => status === 201 || status === 409));
	assert.deepEqual(await handle(stores[1], 'k', 'f', assert.fail), response);
	assert.deepEqual(await handle(stores[1], 'k', 'other', assert.fail), { status: 422 });
	assert.deepEqual(await handle(stores[1], 'other', 'f', assert.fail), { status: 409 });
});

test('a request whose owner is gone is started again after the lease, and his late answer is refused', async (t) => {
	const { pool, moveOn } = await newClock(t);
	const [owner, successor] = [1, 2].map(() => new IdempotencyStore({ pool, scope: 'lease', leaseMs: 1000 }));
	await owner.startProcessing('k', 'f', 60000);
	assert.deepEqual(await handle(successor, 'k', 'f', assert.fail), { status: 409 });
	await moveOn(2);
	assert.deepEqual(await successor.lookup('k', 'f'), { byKey: null, byFingerprint: null });
	await successor.startProcessing('k', 'f', 60000);
	assert.equal((await errorOf(owner.complete('k', { ...response, body: 'late' }))).code, 'ID412');
	await successor.complete('k', response);
	assert.deepEqual((await owner.lookup('k', 'f')).byKey.response, response);
});

test('a request that has outlived its lease completes if nobody took over', async (t) => {
	const { pool, moveOn } = await newClock(t);
	const store = new IdempotencyStore({ pool, scope: 'outlived', leaseMs: 1000 });
	await store.startProcessing('k', 'f', 60000);
	await moveOn(2);
	await store.complete('k', response);
	assert.deepEqual((await store.lookup('k', 'f')).byKey.response, response);
});

test('after the ttl nothing is left', async (t) => {
	const { pool, moveOn } = await newClock(t);
	const store = new IdempotencyStore({ pool, scope: 'ttl' });
	await store.startProcessing('k', 'f', 1000);
	await store.complete('k', response);
	await moveOn(2);
	assert.deepEqual(await store.lookup('k', 'f'), { byKey: null, byFingerprint: null });
	await store.startProcessing('k', 'f', 1000);
});

test('complete without a record is an error that names the key', async (t) => {
	const { pool, moveOn } = await newClock(t);
	const store = new IdempotencyStore({ pool, scope: 'absent' });
	const error = await errorOf(store.complete('nonexistent', response));
	assert.ok(error instanceof NotFoundError);
	assert.match(error.message, /No record found.*nonexistent/);

	await store.startProcessing('gone', 'f', 1000);
	await moveOn(2);
	const gone = await errorOf(store.complete('gone', response));
	assert.ok(gone instanceof NotFoundError);
	assert.match(gone.message, /No record found.*gone/);
});

// A pool that loses the answer of some calls after they took effect.
function lossy(pool, isLost) {
	const lose = async (call, text) => {
		const answer = await call;
		if (isLost(text))
			throw new Error('connection lost');
		return answer;
	};
	const wrapped = Object.create(pool);
	wrapped.query = (text, values) => lose(pool.query(text, values), text.text ?? text);
	wrapped.connect = async () => {
		const client = await pool.connect();
		const wrappedClient = Object.create(client);
		wrappedClient.query = (text, values) => lose(client.query(text, values), text.text ?? text);
		wrappedClient.release = (error) => client.release(error);
		return wrappedClient;
	};
	return wrapped;
}

test('a try that is repeated after a lost answer is the owner, once', async (t) => {
	let losses = 1;
	const pool = newPool(t);
	const store = new IdempotencyStore({
		pool: lossy(pool, (text) => text.includes('start_processing') && losses-- > 0),
		scope: 'lost',
	});
	await assert.rejects(store.startProcessing('k', 'f', 60000), /connection lost/);
	assert.ok(await errorOf(store.startProcessing('k', 'other', 60000)) instanceof IdempotencyKeyExistsError);
	const tries = await Promise.allSettled([1, 2, 3].map(() => store.startProcessing('k', 'f', 60000)));
	assert.deepEqual(tries.map(({ status }) => status).sort(), ['fulfilled', 'rejected', 'rejected']);
	await store.complete('k', response);
	assert.deepEqual((await store.lookup('k', 'f')).byKey.response, response);
});

test('a completion that is repeated after a lost answer succeeds', async (t) => {
	let losses = 1;
	const pool = newPool(t);
	const store = new IdempotencyStore({
		pool: lossy(pool, (text) => text.includes('idemstore.complete') && losses-- > 0),
		scope: 'lost-complete',
	});
	await store.startProcessing('k', 'f', 60000);
	await assert.rejects(store.complete('k', response), /connection lost/);
	assert.equal(await store.complete('k', response), undefined);
});

test('a record that ended otherwise is a response, too', async (t) => {
	const pool = newPool(t);
	const store = new IdempotencyStore({ pool, scope: 'otherwise' });
	await pool.query("SELECT * FROM idemstore.start_processing('k', 'f', scope => 'otherwise')");
	await pool.query("SELECT idemstore.fail('k', '{}', scope => 'otherwise')");
	assert.deepEqual((await store.lookup('k', 'f')).byKey.response, { status: 500, headers: {}, body: '' });
});

test('scopes keep two applications apart', async (t) => {
	const pool = newPool(t);
	const [store, other] = ['a', 'b'].map((scope) => new IdempotencyStore({ pool, scope }));
	await store.startProcessing('apart', 'f', 60000);
	assert.deepEqual(await other.lookup('apart', 'f'), { byKey: null, byFingerprint: null });
	await other.startProcessing('apart', 'f', 60000);
});
