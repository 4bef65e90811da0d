// AdaptiveRateLimitStore of http-client-toolkit, held to the shape that its
// client relies on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdaptiveRateLimitStore } from 'idemstore/http-client-toolkit';
import { errorOf, newClock, newPool, newRolePool } from './support.js';

const config = (limit, windowMs = 3600000) => ({ limit, windowMs });
const newStore = (t, prefix, options) => new AdaptiveRateLimitStore({ pool: newPool(t), prefix, ...options });

test('thresholds that do not rise are refused by the constructor', (t) => {
	const pool = newPool(t);
	for (const adaptiveConfig of [
		{ moderateActivityThreshold: 10 },
		{ highActivityThreshold: 3 },
		{ moderateActivityThreshold: 5, highActivityThreshold: 4 },
	])
		assert.throws(() => new AdaptiveRateLimitStore({ pool, adaptiveConfig }), RangeError);
	new AdaptiveRateLimitStore({ pool, adaptiveConfig: { moderateActivityThreshold: 9 } });
});

test('the status tells how the quota is split', async (t) => {
	const store = newStore(t, 'status:', { defaultConfig: config(200) });
	await store.reset('r');
	const { remaining, resetTime, limit, adaptive } = await store.getStatus('r');
	assert.deepEqual({ remaining, limit, adaptive }, {
		remaining: 200,
		limit: 200,
		adaptive: { userReserved: 60, backgroundMax: 140, backgroundPaused: false, recentUserActivity: 0, reason: 'initial' },
	});
	assert.ok(resetTime instanceof Date);
});

test('each priority has its share, background without a word', async (t) => {
	const store = newStore(t, 'share:', { defaultConfig: config(20) });
	await store.reset('r');
	const count = async (priority) => {
		const allowed = await Promise.all(Array.from({ length: 30 }, () => store.acquire('r', priority)));
		return allowed.filter(Boolean).length;
	};
	const { adaptive } = await store.getStatus('r');
	assert.equal(adaptive.userReserved + adaptive.backgroundMax, 20);
	assert.equal(await count(), adaptive.backgroundMax);
	assert.equal(await store.canProceed('r'), false);
	assert.equal(await store.canProceed('r', 'background'), false);
	assert.ok(await store.getWaitTime('r') > 0);
	assert.equal(await store.canProceed('r', 'user'), true);
	assert.equal(await store.getWaitTime('r', 'user'), 0);
	assert.equal(await count('user'), adaptive.userReserved);
	assert.equal(await store.record('r', 'user'), undefined);
	assert.equal((await store.getStatus('r')).remaining, 0);
	assert.equal((await errorOf(store.acquire('r', 'other'))).code, '22023');
});

test('all settings reach the database', async (t) => {
	const pool = newPool(t);
	const store = new AdaptiveRateLimitStore({
		pool,
		prefix: 'settings:',
		defaultConfig: config(100, 60000),
		adaptiveConfig: {
			monitoringWindowMs: 600000,
			highActivityThreshold: 20,
			moderateActivityThreshold: 6,
			recalculationIntervalMs: 10000,
			sustainedInactivityThresholdMs: 1200000,
			backgroundPauseOnIncreasingTrend: false,
			maxUserScaling: 3,
			minUserReserved: 7,
		},
	});
	await store.acquire('r');
	const { rows } = await pool.query("SELECT * FROM idemstore.rate_limits WHERE resource = 'settings:*'");
	const { quota, period, ...settings } = rows[0];
	assert.deepEqual([quota, period.minutes], ['100', 1]);
	assert.deepEqual({
		monitoring: settings.monitoring_window.minutes,
		high: settings.high_activity_threshold,
		moderate: settings.moderate_activity_threshold,
		recalculation: settings.recalculation_interval.seconds,
		inactivity: settings.sustained_inactivity_threshold.minutes,
		pause: settings.background_pause_on_increasing_trend,
		scaling: settings.max_user_scaling,
		reserved: settings.min_user_reserved,
	}, { monitoring: 10, high: 20, moderate: 6, recalculation: 10, inactivity: 20, pause: false, scaling: 3, reserved: 7 });
});

test('a configuration that is set later holds from the next call on', async (t) => {
	const store = newStore(t, 'later:', { resourceConfigs: new Map([['own', config(10)]]) });
	assert.deepEqual(store.getResourceConfig('other'), { limit: 60, windowMs: 60000 });
	const limitOf = async (resource) => {
		const { limit, adaptive } = await store.getStatus(resource);
		assert.equal(adaptive.userReserved + adaptive.backgroundMax, limit);
		return limit;
	};
	assert.equal(await limitOf('own'), 10);
	assert.equal(await limitOf('other'), 60);
	store.setResourceConfig('new', config(8));
	store.setResourceConfig('new', config(9));
	assert.equal(store.setResourceConfig('__default__', config(50)), undefined);
	assert.equal(await limitOf('new'), 9);
	assert.equal(await limitOf('another'), 50);
	assert.equal(await limitOf('own'), 10);
});

test('a paused background waits for the next split', async (t) => {
	const { pool, moveOn } = await newClock(t);
	const store = new AdaptiveRateLimitStore({ pool, prefix: 'paused:', defaultConfig: config(200) });
	await store.record('r', 'user');
	await moveOn(600);
	for (let i = 0; i < 12; i++)
		await store.record('r', 'user');
	await moveOn(31);
	const { adaptive } = await store.getStatus('r');
	assert.deepEqual([adaptive.backgroundPaused, adaptive.reason], [true, 'high_user_activity']);
	assert.equal(await store.acquire('r'), false);
	const waitMs = await store.getWaitTime('r');
	assert.ok(waitMs > 0 && waitMs <= 30000, `${waitMs} ms`);
});

test('reset, cooldowns, lists and clear are those of RateLimitStore', async (t) => {
	const store = newStore(t, 'common:', { defaultConfig: config(10) });
	await store.clear();
	await store.record('a', 'user');
	await store.record('b');
	await store.record('b');
	assert.deepEqual(await store.listResources(), [
		{ resource: 'a', requestCount: 1, limit: 10, windowMs: 3600000 },
		{ resource: 'b', requestCount: 2, limit: 10, windowMs: 3600000 },
	]);
	assert.deepEqual(await store.getStats(), { totalRequests: 3, uniqueResources: 2, rateLimitedResources: [] });
	await store.setCooldown('o', Date.now() + 60000);
	assert.equal(typeof await store.getCooldown('o'), 'number');
	await store.reset('b');
	assert.deepEqual((await store.listResources()).map(({ resource }) => resource), ['a']);
	await store.clear();
	assert.deepEqual(await store.listResources(), []);
	assert.equal(await store.getCooldown('o'), undefined);
});

test('a role that may not set limits is told so, each time', async (t) => {
	const store = new AdaptiveRateLimitStore({ pool: await newRolePool(t, 'application'), prefix: 'level:' });
	for (let i = 0; i < 2; i++)
		assert.equal((await errorOf(store.acquire('r'))).code, '42501');
});
