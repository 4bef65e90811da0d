// RateLimitStore of http-client-toolkit, held to the shape that its client
// relies on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateLimitStore } from 'idemstore/http-client-toolkit';
import { newClock, newPool, newRolePool } from './support.js';

const config = (limit, windowMs = 60000) => ({ limit, windowMs });
const newStore = (t, prefix, options) => new RateLimitStore({ pool: newPool(t), prefix, ...options });

test('40 at a limit of 5 through two stores are 5', async (t) => {
	const stores = [1, 2].map(() => newStore(t, 'storm:', { defaultConfig: config(5) }));
	const allowed = await Promise.all(Array.from({ length: 40 }, (_, i) => stores[i % 2].acquire('r')));
	assert.equal(allowed.filter((isAllowed) => isAllowed === true).length, 5);
	assert.equal(allowed.filter((isAllowed) => isAllowed === false).length, 35);
});

test('canProceed asks, record counts unconditionally, the status is in numbers', async (t) => {
	const { pool } = await newClock(t);
	const store = new RateLimitStore({ pool, prefix: 'status:', defaultConfig: config(2, 10000) });
	const now = Date.parse('2030-01-01T00:00:00Z');
	assert.deepEqual(await store.getStatus('r'), { remaining: 2, resetTime: new Date(now), limit: 2 });
	for (let i = 0; i < 2; i++) {
		assert.equal(await store.canProceed('r'), true);
		assert.equal(await store.record('r'), undefined);
	}
	assert.equal(await store.canProceed('r'), false);
	await store.record('r');
	assert.deepEqual(await store.getStatus('r'), { remaining: 0, resetTime: new Date(now + 10000), limit: 2 });
	assert.deepEqual(await store.listResources(), [{ resource: 'r', requestCount: 3, limit: 2, windowMs: 10000 }]);
});

test('the wait is exact, and never 0 while a request is denied', async (t) => {
	const { pool, moveOn } = await newClock(t);
	const store = new RateLimitStore({ pool, prefix: 'wait:', defaultConfig: config(1, 1000) });
	assert.equal(await store.getWaitTime('r'), 0);
	assert.equal(await store.acquire('r'), true);
	assert.equal(await store.getWaitTime('r'), 1000);
	await moveOn(0.9996);
	assert.equal(await store.acquire('r'), false);
	assert.equal(await store.getWaitTime('r'), 1);
	await moveOn(0.0004);
	assert.equal(await store.getWaitTime('r'), 0);
	assert.equal(await store.acquire('r'), true);
	store.setResourceConfig('none', config(0, 5000));
	assert.equal(await store.acquire('none'), false);
	assert.equal(await store.getWaitTime('none'), 5000);
});

test('a resource has its own configuration or the default', async (t) => {
	const resourceConfigs = new Map([['own', config(1)]]);
	const store = newStore(t, 'config:', { resourceConfigs });
	assert.deepEqual(store.getResourceConfig('other'), { limit: 60, windowMs: 60000 });
	assert.deepEqual(store.getResourceConfig('own'), config(1));
	assert.equal(store.setResourceConfig('__default__', config(3)), undefined);
	assert.deepEqual(store.getResourceConfig('other'), config(3));
	assert.deepEqual(store.getResourceConfig('__default__'), config(3));
	assert.deepEqual(store.getResourceConfig('own'), config(1));
	assert.equal((await store.getStatus('other')).limit, 3);

	assert.equal(await store.acquire('own'), true);
	assert.equal(await store.acquire('own'), false);
	store.setResourceConfig('own', config(2));
	assert.equal((await store.getStatus('own')).remaining, 1);
	assert.equal(await store.acquire('own'), true);
	assert.equal(await store.acquire('own'), false);
	assert.deepEqual(resourceConfigs, new Map([['own', config(1)]]));
});

test('a default among the resources is the default', async (t) => {
	const store = newStore(t, 'map:', { resourceConfigs: new Map([['__default__', config(7)]]) });
	assert.deepEqual(store.getResourceConfig('any'), config(7));
});

test('limits that are no whole numbers of a bigint are taken as they count', async (t) => {
	const store = newStore(t, 'odd:', {
		resourceConfigs: new Map([['infinite', config(Infinity)], ['fraction', config(1.5)], ['negative', config(-1)]]),
	});
	assert.equal(await store.acquire('infinite'), true);
	assert.equal((await store.getStatus('infinite')).limit, Infinity);
	assert.deepEqual([await store.acquire('fraction'), await store.acquire('fraction'), await store.acquire('fraction')], [true, true, false]);
	assert.equal(await store.acquire('negative'), false);
});

test('reset forgets the requests of one resource, and no cooldown', async (t) => {
	const store = newStore(t, 'reset:', { defaultConfig: config(1) });
	await store.acquire('a');
	await store.acquire('b');
	await store.setCooldown('a', Date.now() + 60000);
	assert.equal(await store.reset('a'), undefined);
	assert.equal(await store.reset('absent'), undefined);
	assert.equal(await store.canProceed('a'), true);
	assert.equal(await store.canProceed('b'), false);
	assert.equal(typeof await store.getCooldown('a'), 'number');
});

test('of cooldowns the last one wins, in milliseconds', async (t) => {
	const { pool, moveOn } = await newClock(t);
	const store = new RateLimitStore({ pool, prefix: 'cooldown:' });
	const other = new RateLimitStore({ pool, prefix: 'cooldown-other:' });
	const now = Date.parse('2030-01-01T00:00:00Z');
	assert.equal(await store.getCooldown('o'), undefined);
	assert.equal(await store.setCooldown('o', now + 9000), undefined);
	await store.setCooldown('o', now + 1500);
	assert.equal(await store.getCooldown('o'), now + 1500);
	assert.equal(await other.getCooldown('o'), undefined);
	await moveOn(1.5);
	assert.equal(await store.getCooldown('o'), undefined);
	await store.setCooldown('o', now - 5000);
	assert.equal(await store.getCooldown('o'), undefined);
	await store.setCooldown('o', now + 9000);
	assert.equal(await store.clearCooldown('o'), undefined);
	await store.clearCooldown('o');
	assert.equal(await store.getCooldown('o'), undefined);
	await store.setCooldown('o', Infinity);
	assert.ok(await store.getCooldown('o') > now);
});

test('two stores with two prefixes do not meet, and clear is for one', async (t) => {
	const [store, other] = ['apart_a:', 'apart%a:'].map((prefix) => newStore(t, prefix, { defaultConfig: config(1) }));
	for (const each of [store, other]) {
		assert.equal(await each.acquire('r'), true);
		assert.equal(await each.acquire('r'), false);
		await each.setCooldown('o', Date.now() + 60000);
	}
	assert.equal(await store.clear(), undefined);
	assert.equal(await store.canProceed('r'), true);
	assert.equal(await store.getCooldown('o'), undefined);
	assert.equal(await other.canProceed('r'), false);
	assert.notEqual(await other.getCooldown('o'), undefined);
});

test('the dashboard lists and counts the resources of this store', async (t) => {
	const store = newStore(t, 'list:', { defaultConfig: config(2), resourceConfigs: new Map([['b', config(9, 1000000)]]) });
	await store.clear();
	for (const resource of ['c', 'a', 'b', 'b', 'a', 'a'])
		await store.record(resource);
	assert.deepEqual(await store.listResources(), [
		{ resource: 'a', requestCount: 3, limit: 2, windowMs: 60000 },
		{ resource: 'b', requestCount: 2, limit: 9, windowMs: 1000000 },
		{ resource: 'c', requestCount: 1, limit: 2, windowMs: 60000 },
	]);
	assert.deepEqual((await store.listResources(1, 1)).map(({ resource }) => resource), ['b']);
	assert.deepEqual(await store.getStats(), { totalRequests: 6, uniqueResources: 3, rateLimitedResources: ['a'] });
});

test('all but the lists needs no more than the level application', async (t) => {
	const store = new RateLimitStore({ pool: await newRolePool(t, 'application'), prefix: 'level:', defaultConfig: config(5) });
	await store.reset('r');
	assert.equal(await store.acquire('r'), true);
	await store.record('r');
	assert.equal((await store.getStatus('r')).remaining, 3);
	assert.equal(await store.getWaitTime('r'), 0);
	await store.setCooldown('o', Date.now() + 1000);
	await store.clearCooldown('o');
});
