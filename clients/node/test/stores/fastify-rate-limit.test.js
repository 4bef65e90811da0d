// rateLimitStore of @fastify/rate-limit, driven by the real one under fastify 5.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fastifyRateLimit from '@fastify/rate-limit';
import fastify from 'fastify';
import { rateLimitStore } from 'idemstore/fastify-rate-limit';
import { newClock, newPool } from './support.js';

// An application with the plugin; its routes are / and /own.
async function newApp(t, options) {
	const app = fastify();
	t.after(() => app.close());
	await app.register(fastifyRateLimit, { max: 5, timeWindow: 60000, ...options });
	app.get('/', () => 'ok');
	app.get('/own', { config: { rateLimit: { max: 2 } } }, () => 'ok');
	return (url = '/') => app.inject({ url });
}

// The results of a store's method that takes a callback.
const call = (store, method, ...args) => new Promise((resolve, reject) => {
	const [key, ...rest] = args;
	store[method](key, (error, result) => (error ? reject(error) : resolve(result)), ...rest);
});

const statuses = async (calls) => (await Promise.all(calls)).map(({ statusCode }) => statusCode);
const times = (count, of) => Array.from({ length: count }, (_, i) => of(i));

test('20 concurrent at a limit of 5 through two processes are 5', async (t) => {
	const gets = await Promise.all([1, 2].map(() => newApp(t, { store: rateLimitStore({ pool: newPool(t), prefix: 'storm:' }) })));
	const answers = await statuses(times(20, (i) => gets[i % 2]()));
	assert.equal(answers.filter((status) => status === 200).length, 5);
	assert.equal(answers.filter((status) => status === 429).length, 15);
});

test('a route with a limit of its own counts by itself', async (t) => {
	const get = await newApp(t, { store: rateLimitStore({ pool: newPool(t), prefix: 'child:' }) });
	assert.deepEqual((await statuses(times(4, () => get('/own')))).sort(), [200, 200, 429, 429]);
	assert.deepEqual(await statuses(times(5, () => get())), times(5, () => 200));
});

test('headers tell what is left, and when to come again', async (t) => {
	const get = await newApp(t, { max: 1, store: rateLimitStore({ pool: newPool(t), prefix: 'headers:' }) });
	const allowed = await get();
	assert.equal(Number(allowed.headers['x-ratelimit-remaining']), 0);
	const { statusCode, headers } = await get();
	assert.equal(statusCode, 429);
	for (const name of ['retry-after', 'x-ratelimit-reset'])
		assert.ok(headers[name] > 0 && headers[name] <= 60, `${name}: ${headers[name]}`);
});

test('current and ttl are numbers, and who is denied gets in as soon as there is room', async (t) => {
	const { pool, moveOn } = await newClock(t);
	const store = new (rateLimitStore({ pool, prefix: 'numbers:' }))({});
	const incr = () => call(store, 'incr', 'k', 10000, 2);
	const read = () => call(store, 'read', 'k', 10000, 2);
	assert.deepEqual(await read(), { current: 0, ttl: 0 });
	assert.deepEqual(await incr(), { current: 1, ttl: 10000 });
	await moveOn(4);
	assert.deepEqual(await incr(), { current: 2, ttl: 10000 });
	assert.deepEqual(await incr(), { current: 3, ttl: 6000 });
	assert.deepEqual(await incr(), { current: 3, ttl: 6000 });
	assert.deepEqual(await read(), { current: 2, ttl: 10000 });
	await moveOn(6);
	assert.deepEqual(await read(), { current: 1, ttl: 4000 });
	assert.deepEqual(await incr(), { current: 2, ttl: 10000 });
});

test('a maximum of 0 denies, and one without an end allows', async (t) => {
	const store = new (rateLimitStore({ pool: newPool(t), prefix: 'odd:' }))({});
	assert.deepEqual(await call(store, 'incr', 'zero', 10000, 0), { current: 1, ttl: 10000 });
	const { current } = await call(store, 'incr', 'infinite', 10000, Infinity);
	assert.equal(current, 1);
});

test('denied requests count where a ban or a renewed window needs it', async (t) => {
	const pool = newPool(t);
	const get = await newApp(t, { max: 1, ban: 2, store: rateLimitStore({ pool, prefix: 'ban:' }) });
	const answers = [];
	for (let i = 0; i < 5; i++)
		answers.push((await get()).statusCode);
	assert.deepEqual(answers, [200, 429, 429, 403, 403]);

	const store = new (rateLimitStore({ pool, prefix: 'continue:' }))({ continueExceeding: true });
	const child = store.child({ routeInfo: { method: 'GET', url: '/' }, continueExceeding: true });
	for (const each of [store, child])
		for (let i = 1; i <= 3; i++) {
			const { current, ttl } = await call(each, 'incr', 'k', 10000, 1);
			assert.equal(current, i);
			assert.ok(ttl > 9000 && ttl <= 10000);
		}
});

test('a window that grows is refused', (t) => {
	const Store = rateLimitStore({ pool: newPool(t) });
	assert.throws(() => new Store({ exponentialBackoff: true }), TypeError);
});

test('a request may be looked at without counting', async (t) => {
	const app = fastify();
	t.after(() => app.close());
	await app.register(fastifyRateLimit, { global: false, max: 2, timeWindow: 60000, store: rateLimitStore({ pool: newPool(t), prefix: 'look:' }) });
	const limit = app.createRateLimit();
	app.get('/', async (request) => ({
		before: await limit(request, { increment: false }),
		after: await limit(request),
	}));
	await app.inject('/');
	const { before, after } = (await app.inject('/')).json();
	assert.deepEqual([before.remaining, after.remaining], [1, 0]);
});

test('prefixes keep two plugins apart', async (t) => {
	const pool = newPool(t);
	const [one, two] = await Promise.all(['one:', 'two:'].map((prefix) => newApp(t, { max: 1, store: rateLimitStore({ pool, prefix }) })));
	assert.deepEqual([(await one()).statusCode, (await one()).statusCode, (await two()).statusCode], [200, 429, 200]);
});

test('a database that is away is an error, or lets pass', async (t) => {
	const store = rateLimitStore({ pool: newPool(t, { port: 1 }) });
	assert.equal((await (await newApp(t, { store }))()).statusCode, 500);
	assert.equal((await (await newApp(t, { store, skipOnError: true }))()).statusCode, 200);
});
