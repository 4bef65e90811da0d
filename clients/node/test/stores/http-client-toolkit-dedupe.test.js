// DedupeStore of http-client-toolkit, held to the shape that its client relies on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DedupeStore } from 'idemstore/http-client-toolkit';
import { closing, newClock, newPool } from './support.js';

const newStore = (t, prefix, options) => closing(t, new DedupeStore({ pool: newPool(t), prefix, ...options }));

// What the client does for a request that is not cached.
async function request(store, hash, fetch) {
	for (;;) {
		const found = await store.waitFor(hash);
		if (found !== undefined)
			return found;
		const { isOwner } = await store.registerOrJoin(hash);
		if (isOwner)
			break;
	}
	const value = await fetch();
	await store.complete(hash, value);
	return value;
}

test('60 requests for one thing through two stores are one execution', async (t) => {
	const stores = [newStore(t, 'once:'), newStore(t, 'once:')];
	let executions = 0;
	const fetch = async () => {
		executions++;
		await new Promise((resolve) => setTimeout(resolve, 100));
		return { execution: executions };
	};
	const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => request(stores[i % 2], 'h', fetch)));
	assert.equal(executions, 1);
	assert.deepEqual(answers, Array(60).fill({ execution: 1 }));
});

test('register and registerOrJoin tell the same job', async (t) => {
	const store = newStore(t, 'register:');
	const { jobId, isOwner } = await store.registerOrJoin('h');
	assert.match(jobId, /^[0-9a-f-]{36}$/);
	assert.equal(isOwner, true);
	assert.deepEqual(await store.registerOrJoin('h'), { jobId, isOwner: false });
	assert.equal(await store.register('h'), jobId);
	assert.equal(await store.isInProgress('h'), true);
	assert.equal(await store.complete('h', 1), undefined);
	assert.equal(await store.isInProgress('h'), false);
	const again = await store.registerOrJoin('h');
	assert.equal(again.isOwner, true);
	assert.notEqual(again.jobId, jobId);
});

test('a value comes back to all who wait, null too', async (t) => {
	const store = newStore(t, 'values:');
	for (const value of [null, 0, '', [undefined], { a: 'é\u0000' }]) {
		await store.register('h');
		const waiting = store.waitFor('h');
		await store.complete('h', value);
		assert.deepEqual(await waiting, JSON.parse(JSON.stringify(value)));
		assert.deepEqual(await store.waitFor('h'), JSON.parse(JSON.stringify(value)));
	}
});

test('waitFor is undefined for a job that is absent, failed or without a value', async (t) => {
	const store = newStore(t, 'undefined:');
	assert.equal(await store.waitFor('absent'), undefined);
	assert.equal(await store.isInProgress('absent'), false);

	await store.register('failed');
	const waiting = store.waitFor('failed');
	assert.equal(await store.fail('failed', new TypeError('no')), undefined);
	assert.equal(await waiting, undefined);
	assert.equal(await store.waitFor('failed'), undefined);
	assert.equal(await store.isInProgress('failed'), false);

	await store.register('empty');
	await store.complete('empty', undefined);
	assert.equal(await store.waitFor('empty'), undefined);
	assert.equal(await store.isInProgress('empty'), false);
});

test('waitFor is undefined when it has waited long enough, and when nobody can be asked', async (t) => {
	const pool = newPool(t);
	const store = closing(t, new DedupeStore({ pool, prefix: 'timeout:', timeoutMs: 50 }));
	await store.register('h');
	assert.equal(await store.waitFor('h'), undefined);
	assert.equal(await store.isInProgress('h'), true);

	const unreachable = new DedupeStore({ pool: newPool(t, { port: 1 }) });
	assert.equal(await unreachable.waitFor('h'), undefined);
	await assert.rejects(unreachable.registerOrJoin('h'));
	await unreachable.close();
});

test('an error is kept with the job, by whatever name it has', async (t) => {
	const pool = newPool(t);
	const store = closing(t, new DedupeStore({ pool, prefix: 'error:' }));
	const kept = async (error) => {
		await store.register('h');
		await store.fail('h', error);
		return (await pool.query("SELECT error FROM idemstore.dedupe_wait_for('error:h')")).rows[0].error;
	};
	assert.deepEqual(await kept(new RangeError('too far')), { name: 'RangeError', message: 'too far' });
	assert.deepEqual(await kept('text'), { message: 'text' });
	assert.deepEqual(await kept(undefined), { message: 'undefined' });
});

test('the first end counts, and one that comes too late is no error', async (t) => {
	const store = newStore(t, 'late:');
	assert.equal(await store.complete('absent', 1), undefined);
	assert.equal(await store.fail('absent', new Error('no')), undefined);
	assert.equal(await store.waitFor('absent'), undefined);

	await store.register('h');
	await store.complete('h', 1);
	await store.complete('h', 2);
	await store.fail('h', new Error('no'));
	assert.equal(await store.waitFor('h'), 1);
});

test('an owner past the timeout is replaced, and changes nothing any more', async (t) => {
	const { pool, moveOn } = await newClock(t);
	const options = { pool, waitPool: pool, prefix: 'replaced:', jobTimeoutMs: 1000 };
	const [first, second] = [new DedupeStore(options), new DedupeStore(options)];
	const { jobId } = await first.registerOrJoin('h');
	await moveOn(2);
	assert.equal(await second.isInProgress('h'), false);
	assert.equal(await second.waitFor('h'), undefined);
	const successor = await second.registerOrJoin('h');
	assert.equal(successor.isOwner, true);
	assert.notEqual(successor.jobId, jobId);

	assert.equal(await first.complete('h', 'first'), undefined);
	await first.registerOrJoin('h');
	assert.equal(await first.fail('h', new Error('no')), undefined);
});

test('a superseded owner does not end the job of his successor', async (t) => {
	const { pool, moveOn } = await newClock(t);
	const options = { pool, waitPool: pool, prefix: 'superseded:', jobTimeoutMs: 1000 };
	const [first, second] = [new DedupeStore(options), new DedupeStore(options)];
	await first.registerOrJoin('h');
	await moveOn(2);
	await second.registerOrJoin('h');
	await first.complete('h', 'first');
	assert.equal(await second.isInProgress('h'), true);
	await second.complete('h', 'second');
	assert.equal(await first.waitFor('h'), 'second');
});

test('a timeout of 0 or less is none', async (t) => {
	const { pool, moveOn } = await newClock(t);
	for (const jobTimeoutMs of [0, -1, Infinity]) {
		const store = new DedupeStore({ pool, prefix: `none${jobTimeoutMs}:`, jobTimeoutMs });
		await store.register('h');
		await moveOn(86400);
		assert.equal(await store.isInProgress('h'), true);
	}
});

test('clear takes a scope byte for byte, and who waits goes on without', async (t) => {
	const store = newStore(t, 'clear_a:');
	const other = newStore(t, 'clear%a:');
	for (const hash of ['api:1', 'a_i:1', 'API:1'])
		await Promise.all([store.register(hash), other.register(hash)]);
	const waiting = store.waitFor('api:1');
	assert.equal(await store.clear('a_i:'), undefined);
	assert.deepEqual((await store.listJobs()).map(({ hash }) => hash), ['API:1', 'api:1']);
	await store.clear();
	assert.equal(await waiting, undefined);
	assert.deepEqual(await store.listJobs(), []);
	assert.equal((await other.listJobs()).length, 3);
	assert.equal((await store.registerOrJoin('api:1')).isOwner, true);
});

test('the dashboard lists and counts the jobs of this store', async (t) => {
	const { pool } = await newClock(t);
	const store = closing(t, new DedupeStore({ pool, prefix: 'list:', jobTimeoutMs: 60000 }));
	const ids = {};
	for (const hash of ['c', 'b', 'a'])
		ids[hash] = await store.register(hash);
	await store.complete('a', 1);
	await store.fail('b', new Error('no'));
	const jobs = await store.listJobs();
	assert.deepEqual(jobs.map(({ hash, jobId, status }) => ({ hash, jobId, status })), [
		{ hash: 'a', jobId: ids.a, status: 'completed' },
		{ hash: 'b', jobId: ids.b, status: 'failed' },
		{ hash: 'c', jobId: ids.c, status: 'pending' },
	]);
	assert.ok(jobs.every(({ expiresAt }) => expiresAt > Date.parse('2030-01-01T00:00:00Z')));
	assert.deepEqual((await store.listJobs(1, 1)).map(({ hash }) => hash), ['b']);
	assert.deepEqual(await store.getStats(), {
		totalJobs: 3, pendingJobs: 1, completedJobs: 1, failedJobs: 1, expiredJobs: 0,
	});
});
