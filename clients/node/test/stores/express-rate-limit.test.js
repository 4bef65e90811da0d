// RateLimitStore of express-rate-limit, driven by the real one under express 5.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import express from 'express';
import { rateLimit } from 'express-rate-limit';
import { RateLimitStore } from 'idemstore/express-rate-limit';
import { newClock, newPool } from './support.js';

const nobody = { info() {}, warn: assert.fail, error: assert.fail };

// An application behind limiters; what they log fails the test.
async function listen(t, ...limiters) {
	const app = express();
	for (const limiter of limiters)
		app.use(limiter);
	app.get('/missing', (request, response) => response.sendStatus(404));
	app.get('/', (request, response) => response.send('ok'));
	app.use((error, request, response, next) => response.status(500).send(error.message));
	const server = app.listen(0);
	await new Promise((resolve) => server.once('listening', resolve));
	t.after(() => new Promise((resolve) => server.close(resolve)));
	return async (path = '/', headers = {}) => {
		const response = await fetch(`http://localhost:${server.address().port}${path}`, { headers: { connection: 'close', ...headers } });
		await response.arrayBuffer();
		return response;
	};
}

function newLimiter(store, options) {
	return rateLimit({ windowMs: 60000, limit: 5, store, logger: nobody, keyGenerator: ({ get }) => 'client', ...options });
}

const statuses = async (calls) => (await Promise.all(calls)).map(({ status }) => status);
const times = (count, call) => Array.from({ length: count }, (_, i) => call(i));

test('20 concurrent at a limit of 5 through two processes are 5', async (t) => {
	const gets = await Promise.all([1, 2].map(() => listen(t, newLimiter(new RateLimitStore({ pool: newPool(t), prefix: 'storm:' })))));
	const answers = await statuses(times(20, (i) => gets[i % 2]()));
	assert.equal(answers.filter((status) => status === 200).length, 5);
	assert.equal(answers.filter((status) => status === 429).length, 15);
});

test('the limit may be a function of the request', async (t) => {
	const get = await listen(t, newLimiter(new RateLimitStore({ pool: newPool(t), prefix: 'function:' }), {
		limit: (request) => (request.get('x-plan') === 'pro' ? 3 : 1),
		keyGenerator: (request) => request.get('x-plan'),
	}));
	assert.deepEqual((await statuses(times(5, () => get('/', { 'x-plan': 'pro' })))).sort(), [200, 200, 200, 429, 429]);
	assert.deepEqual((await statuses(times(3, () => get('/', { 'x-plan': 'free' })))).sort(), [200, 429, 429]);
});

test('headers tell what is left, and when to come again', async (t) => {
	const get = await listen(t, newLimiter(new RateLimitStore({ pool: newPool(t), prefix: 'headers:' }), { standardHeaders: 'draft-6', limit: 2 }));
	const left = [];
	for (let i = 0; i < 3; i++)
		left.push((await get()).headers.get('ratelimit-remaining'));
	assert.deepEqual(left, ['1', '0', '0']);
	const denied = await get();
	assert.equal(denied.status, 429);
	assert.ok(Number(denied.headers.get('retry-after')) > 0 && Number(denied.headers.get('retry-after')) <= 60);
});

test('hits are numbers, denied ones count, and the window ends', async (t) => {
	const { pool, moveOn } = await newClock(t);
	const store = new RateLimitStore({ pool, prefix: 'hits:' });
	store.init({ windowMs: 10000 });
	const end = new Date('2030-01-01T00:00:10Z');
	assert.equal(await store.get('k'), undefined);
	assert.deepEqual(await store.increment('k'), { totalHits: 1, resetTime: end });
	for (let i = 2; i <= 100; i++)
		assert.equal((await store.increment('k')).totalHits, i);
	assert.deepEqual(await store.get('k'), { totalHits: 100, resetTime: end });
	await moveOn(10);
	assert.equal(await store.get('k'), undefined);
	assert.equal((await store.increment('k')).totalHits, 1);
});

test('decrement takes one back, and never below none', async (t) => {
	const store = new RateLimitStore({ pool: newPool(t), prefix: 'decrement:' });
	store.init({ windowMs: 60000 });
	await store.increment('k');
	await store.increment('k');
	assert.equal(await store.decrement('k'), undefined);
	assert.equal((await store.get('k')).totalHits, 1);
	await store.decrement('k');
	await store.decrement('k');
	assert.equal(await store.get('k'), undefined);
	assert.equal((await store.increment('k')).totalHits, 1);
});

test('requests that failed need not count', async (t) => {
	const store = new RateLimitStore({ pool: newPool(t), prefix: 'skip:' });
	const get = await listen(t, newLimiter(store, { limit: 1, skipFailedRequests: true }));
	assert.equal((await get('/missing')).status, 404);
	// the response is out before its request is taken back
	while (await store.get('client'))
		await new Promise((resolve) => setImmediate(resolve));
	assert.equal((await get()).status, 200);
	assert.equal((await get()).status, 429);
});

test('resetKey is for one client, resetAll for all of the limiter', async (t) => {
	const pool = newPool(t);
	const [store, other] = ['reset_a:', 'reset%a:'].map((prefix) => new RateLimitStore({ pool, prefix }));
	for (const each of [store, other])
		for (const key of ['a', 'b', 'c'])
			await each.increment(key);
	assert.equal(await store.resetKey('a'), undefined);
	assert.equal(await store.get('a'), undefined);
	assert.equal((await store.get('b')).totalHits, 1);
	assert.equal(await store.resetAll(), undefined);
	assert.equal(await store.get('b'), undefined);
	assert.equal((await other.get('b')).totalHits, 1);
});

test('prefixes keep two limiters apart, also in one application', async (t) => {
	const pool = newPool(t);
	const [many, few] = [['many:', 4], ['few:', 2]].map(([prefix, limit]) => newLimiter(new RateLimitStore({ pool, prefix }), { limit }));
	const get = await listen(t, many, few);
	assert.deepEqual((await statuses(times(6, () => get()))).sort(), [200, 200, 429, 429, 429, 429]);
	assert.equal((await many.getKey('client')).totalHits, 6);
	assert.equal((await few.getKey('client')).totalHits, 4);
	assert.equal(new RateLimitStore({ pool }).localKeys, false);
});

test('a database that is away is an error, or lets pass', async (t) => {
	const away = (prefix) => new RateLimitStore({ pool: newPool(t, { port: 1 }), prefix });
	const refused = await listen(t, newLimiter(away('away:')));
	assert.equal((await refused()).status, 500);
	const passed = await listen(t, newLimiter(away('away:'), { passOnStoreError: true, logger: { ...nobody, error() {} } }));
	assert.equal((await passed()).status, 200);
});
