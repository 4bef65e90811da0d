import assert from 'node:assert/strict';
import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
	AlreadyFinalError, Idemstore, IdemstoreError, LostClaimError, NoLimitError, NotFoundError, TooLargeError, WaitTimeoutError, shard,
} from '../src/index.js';
import { charge, charges, count, errorOf, eventually, newIdemstore, newKey, newPool } from './support.js';

const HOUR = 3600000;

test('shard has its vectors, as in SQL', async (t) => {
	const pool = newPool(t);
	const vectors = {
		'': [0, 1, 2, 5, 22, 22], a: [0, 1, 1, 1, 50, 912], 'order-1': [0, 1, 2, 10, 10, 214],
		'ключ': [0, 1, 2, 2, 63, 324], 'user/42': [0, 0, 0, 0, 48, 806],
	};
	for (const [key, shards] of Object.entries(vectors))
		assert.deepEqual([1, 2, 4, 16, 64, 1000].map((n) => shard(key, n)), shards);
	for (const key of Array.from({ length: 100 }, (_, i) => `\u{1f600}${i}`))
		assert.equal(await count(pool, 'SELECT idemstore.shard($1, 7)', key), shard(key, 7));
	assert.throws(() => shard('a', 0), RangeError);
});

test('run: once, then replayed', async (t) => {
	const { pool, idemstore } = newIdemstore(t);
	const key = newKey();
	const options = { key, fingerprint: 'f', context: { a: [] } };
	const first = await idemstore.run(options, charge);
	assert.equal(first.outcome, 'started');
	const again = await idemstore.run(options, charge);
	assert.equal(again.outcome, 'replay');
	assert.deepEqual(again.response, first.response);
	assert.deepEqual(again.response, { status: 201, headers: { 'x-a': 'b' }, body: Buffer.from('paid') });
	assert.equal((await idemstore.run({ key, fingerprint: 'g' }, charge)).outcome, 'mismatch');
	assert.equal(await charges(pool, key), 1);
});

test('run: a throw rolls back and comes out as it is', async (t) => {
	const { pool, idemstore } = newIdemstore(t);
	const key = newKey();
	const wrong = new Error('wrong');
	assert.equal(await errorOf(idemstore.run({ key }, async (client, claim) => {
		await charge(client, claim);
		throw wrong;
	})), wrong);
	assert.equal(await charges(pool, key), 0);
	assert.equal((await idemstore.run({ key }, charge)).outcome, 'started');
	assert.equal(await charges(pool, key), 1);
});

test('bodies come back byte for byte', async (t) => {
	const { idemstore } = newIdemstore(t);
	const large = Buffer.alloc(5 << 20, Buffer.from([0, 92, 39, 255, 34, 123, 36, 10]));
	for (const body of [undefined, Buffer.alloc(0), '{"path":"C:\\\\dir"}', '\0\\', Buffer.from([0xc3, 0x28]), large]) {
		const key = newKey();
		await idemstore.run({ key }, async () => ({ status: 200, body }));
		const { response } = await idemstore.run({ key }, charge);
		if (body === undefined)
			assert.equal(response.body, undefined);
		else
			assert.ok(Buffer.from(body).equals(response.body));
	}
});

test('errors have classes and the SQLSTATE', async (t) => {
	const { idemstore } = newIdemstore(t);
	const key = newKey();
	const { fence } = await idemstore.startProcessing(key);
	const check = async (promise, Class, code) => {
		const error = await errorOf(promise);
		assert.ok(error instanceof Class && error instanceof IdemstoreError, String(error));
		assert.equal(error.code, code);
		assert.equal(error.name, Class.name);
	};
	await check(idemstore.complete(key, { fence: String(BigInt(fence) - 1n) }), LostClaimError, 'ID412');
	await check(idemstore.complete(newKey()), NotFoundError, 'ID404');
	await check(idemstore.wait(key, { timeoutMs: 10 }), WaitTimeoutError, 'ID408');
	const small = newPool(t, { max: 1 });
	await small.query("SET idemstore.max_body_size = '1kB'");
	await check(new Idemstore({ pool: small }).complete(key, { fence, responseBody: Buffer.alloc(1025) }), TooLargeError, 'ID413');
	await idemstore.complete(key, { fence, responseStatus: 200 });
	await check(idemstore.complete(key, { fence, responseStatus: 201 }), AlreadyFinalError, 'ID425');
	await check(idemstore.acquire(newKey()), NoLimitError, 'ID428');
	assert.equal((await errorOf(idemstore.startProcessing(newKey(), { leaseMs: 32 * 24 * HOUR }))).code, '22023');
	await assert.rejects(idemstore.startProcessing(newKey(), { leaseMs: NaN }), TypeError);
});

test('every function', async (t) => {
	const { pool, idemstore } = newIdemstore(t, { prefix: `p"\\,{${newKey()}/`, scope: 's' });
	const k = 'k';
	assert.equal(await idemstore.setNx(k, 'a\\b', { ttlMs: HOUR }), true);
	assert.equal(await idemstore.setNx(k, 'c'), false);
	assert.equal((await idemstore.getValue(k)).toString(), 'a\\b');
	assert.equal(await idemstore.getValueText(k), 'a\\b');
	assert.equal(await idemstore.getValueText('no'), undefined);
	assert.equal(await idemstore.setValue(k, Buffer.from([0])), false);
	assert.equal((await idemstore.get(k)).key, k);
	assert.equal((await idemstore.wait(k)).status, 'complete');
	assert.equal((await idemstore.lookup(k))[0].matched, 'key');
	assert.equal(await idemstore.forget(k), true);
	assert.equal(await idemstore.get(k), null);
	assert.equal(await idemstore.getValue(k), undefined);
	assert.equal(await idemstore.initiate(k, { context: [] }), true);
	assert.deepEqual((await idemstore.get(k)).context, []);
	assert.equal(await idemstore.success(k, { a: 1 }), true);
	assert.equal(await idemstore.getValueText(k), '{"a":1}');
	assert.equal(await idemstore.forgetScope('s'), 1);
	await idemstore.initiate(k);
	assert.equal(await idemstore.release(k), true);
	const { fence } = await idemstore.startProcessing(k, { fingerprint: 'f' });
	assert.equal((await idemstore.startProcessing('other', { fingerprint: 'f', uniqueFingerprint: true })).conflictingKey, k);
	assert.ok(await idemstore.extendLease(k, fence, { leaseMs: HOUR }) > new Date(Date.now() + HOUR / 2));
	assert.equal(await idemstore.assertOwner(k, fence), true);
	assert.equal(await idemstore.checkpoint(k, 'sent', { state: { id: 7 }, fence }), true);
	assert.equal(await idemstore.fail(k, { error: 'no', retryable: true, fence }), true);
	const next = await idemstore.startProcessing(k);
	assert.deepEqual([next.attempt, next.recoveryPoint, next.checkpoint], [2, 'sent', { id: 7 }]);
	await idemstore.fail(k, { error: null, responseStatus: 402, responseText: 'declined', fence: next.fence });
	const failed = await idemstore.run({ key: k }, charge);
	assert.deepEqual([failed.outcome, failed.error, failed.response.status], ['failed', null, 402]);
	assert.equal(await idemstore.fingerprint({ b: 1.0, a: '\\', at: 1 }, { exclude: ['at'] }), await idemstore.fingerprint({ a: '\\', b: 1 }));

	assert.equal(await idemstore.cacheGet(k), undefined);
	for (const value of [null, [], [1], {}, 'text', 0, false, { a: '\\' }]) {
		await idemstore.cacheSet(k, value, { ttlMs: HOUR, tags: ['t', 'a"\\,{}'] });
		assert.deepEqual(await idemstore.cacheGet(k), value);
	}
	await assert.rejects(idemstore.cacheSet(k, undefined), TypeError);
	assert.equal(await idemstore.cacheAdd(k, 1), false);
	await idemstore.cacheSetBytes('bytes', '\0\\');
	assert.equal((await idemstore.cacheGet('bytes')).toString(), '\0\\');
	assert.deepEqual((await idemstore.cacheGetMany([k, 'bytes', 'no'])).map((one) => [one.key, one.value, one.valueBytes?.length]),
		[[k, { a: '\\' }, undefined], ['bytes', undefined, 2], ['no', undefined, undefined]]);
	assert.deepEqual((await idemstore.cacheList()).map(({ key, tags }) => [key, tags]), [['bytes', undefined], [k, ['t', 'a"\\,{}'].sort()]].map(([key, tags]) => [key, tags]));
	assert.equal(await idemstore.cacheTouch(k, 10000), true);
	assert.ok(await idemstore.cacheTtl(k) > 5000);
	assert.equal(await idemstore.cacheTtl('bytes'), 0);
	assert.equal(await idemstore.cacheTtl('no'), undefined);
	assert.equal(await idemstore.cacheIncrement('n', { delta: 5 }), 5);
	assert.equal(await idemstore.cacheSetMany(['m1', 'm2'], [null, '"\\'], { ttlMs: HOUR }), 2);
	assert.deepEqual([await idemstore.cacheGet('m1'), await idemstore.cacheGet('m2')], [null, '"\\']);
	assert.equal((await idemstore.cacheGetBytes('bytes')).toString(), '\0\\');
	assert.equal(await idemstore.cacheCompareAndSet('m2', 'no', 1), false);
	assert.equal(await idemstore.cacheCompareAndSet('m2', '"\\', 1), true);
	assert.equal(await idemstore.cacheDeleteMany(['m1', 'm2']), 2);
	assert.equal(await idemstore.invalidateByTags(['t', 'none']), 1);
	assert.equal(await idemstore.cacheDelete(k), false);
	assert.equal(await idemstore.cacheDeleteMany(['n', 'no']), 1);
	for (const ttlMs of [-1e-7, -1]) {
		await idemstore.cacheSet(k, 1, { ttlMs });
		assert.equal(await idemstore.cacheGet(k), undefined);
	}
	assert.equal((await idemstore.cacheFetch(k)).outcome, 'compute');
	assert.equal(await idemstore.cacheClear(), 1);

	const first = await idemstore.dedupeRegister('d');
	assert.deepEqual(await idemstore.dedupeRegisterOrJoin('d'), { jobId: first, isOwner: false });
	assert.equal(await idemstore.dedupeClear({ prefix: 'd' }), 1);
	const job = await idemstore.dedupeRegisterOrJoin(k, { timeoutMs: HOUR });
	assert.equal(job.isOwner, true);
	assert.equal((await idemstore.dedupeWaitFor(k, { timeoutMs: 10 })).outcome, 'timeout');
	assert.equal(await idemstore.dedupeIsInProgress(k), true);
	assert.deepEqual((await idemstore.dedupeList()).map(({ hash, jobId, status }) => [hash, jobId, status]), [[k, job.jobId, 'pending']]);
	assert.equal(await idemstore.dedupeComplete(k, null, job), true);
	assert.deepEqual(await idemstore.dedupeWaitFor(k), { outcome: 'completed', value: null, error: undefined });
	await idemstore.dedupeRegisterOrJoin(k);
	assert.equal(await idemstore.dedupeFail(k, { error: 'no' }), true);
	assert.equal((await idemstore.dedupeWaitFor(k)).error, 'no');
	assert.equal(await idemstore.dedupeClear(), 1);

	const limit = { quota: 1, perMs: HOUR };
	assert.equal(await idemstore.acquire(k, limit), true);
	const denied = await idemstore.consume(k, limit);
	assert.deepEqual([denied.allowed, denied.quota, denied.remaining, denied.reason], [false, 1, 0, 'quota']);
	assert.ok(denied.retryAfterMs > HOUR / 2 && denied.resetAt > new Date());
	assert.equal((await idemstore.consume(k, { ...limit, cost: 2 })).retryAfterMs, null);
	assert.ok(await idemstore.getWaitTime(k, limit) > HOUR / 2);
	assert.equal(await idemstore.refund(k, 1, denied.decidedAt, limit), true);
	assert.equal(await idemstore.canProceed(k, limit), true);
	assert.equal(await idemstore.recordRequest(k, limit), true);
	assert.equal((await idemstore.rateLimitStatus(k, limit))[0].remaining, 0);
	assert.deepEqual(await idemstore.acquireMany([k, 'l', 'l'], limit), [false, true, false]);
	assert.deepEqual((await idemstore.consumeMany(['m'], limit)).map((one) => one.allowed), [true]);
	assert.equal(await idemstore.setRateLimit('c', 2, HOUR), true);
	assert.equal(await idemstore.setRateLimit('c', 2, HOUR), false);
	assert.equal(await idemstore.acquireAll(['c'], { costs: [2] }), true);
	assert.deepEqual((await idemstore.rateLimitList()).filter((one) => one.policy).map(({ resource, quota, remaining }) => [resource, quota, remaining]), [['c', 2, 0]]);
	assert.equal(await idemstore.dropRateLimit('c'), true);
	assert.equal(await idemstore.setAdaptiveRateLimit('a', { quota: 10, perMs: HOUR }), true);
	assert.equal(await idemstore.acquire('a', { priority: 'user' }), true);
	assert.equal((await idemstore.adaptiveRateLimitStatus('a')).userReserved > 0, true);
	assert.equal(await idemstore.rateLimitReset(k), true);
	assert.ok(await idemstore.rateLimitClear('') > 0);
	const until = new Date(Date.now() + HOUR);
	await idemstore.setCooldown('o', until);
	assert.deepEqual(await idemstore.getCooldown('o'), until);
	assert.deepEqual(await idemstore.cooldownList(), [{ origin: 'o', until }]);
	assert.equal((await idemstore.consume(k, { ...limit, origin: 'o' })).reason, 'cooldown');
	assert.equal(await idemstore.clearCooldown('o'), true);
	assert.equal(await idemstore.getCooldown('o'), undefined);
	assert.equal(await charges(pool, k), 0);
	const { rows } = await pool.query(`SELECT proname FROM idemstore.usage_privileges() AS p JOIN pg_proc ON pg_proc.oid = p.id
		WHERE level = 'application' AND kind = 'ROUTINE'`);
	const methods = rows.map(({ proname }) => proname.replace(/_(.)/g, (_, letter) => letter.toUpperCase()));
	// shard() is no call: it says where to call
	assert.deepEqual(methods.filter((name) => typeof idemstore[name] !== 'function'), ['shard']);
	assert.ok(methods.length > 50);
});

test('runOutside: the lease goes on, a failed attempt is followed at once', async (t) => {
	const { pool, idemstore } = newIdemstore(t);
	const key = newKey();
	const finish = { finish: charge };
	const wrong = new Error('wrong');
	assert.equal(await errorOf(idemstore.runOutside({ key, leaseMs: 300 }, async (claim) => {
		const first = (await idemstore.get(key)).leaseExpiresAt;
		await eventually(async () => (await idemstore.get(key)).leaseExpiresAt - first > 300);
		await claim.checkpoint('half', { id: 7 });
		throw wrong;
	}, finish)), wrong);
	const result = await idemstore.runOutside({ key, leaseMs: 300 }, async (claim) => {
		assert.deepEqual([claim.attempt, claim.recoveryPoint, claim.state], [2, 'half', { id: 7 }]);
	}, finish);
	assert.equal(result.outcome, 'started');
	assert.equal((await idemstore.runOutside({ key }, assert.fail, finish)).response.body.toString(), 'paid');
	assert.equal(await charges(pool, key), 1);
});

test('runOutside: who lost the claim is told, and refused', async (t) => {
	const { pool, idemstore } = newIdemstore(t);
	const key = newKey();
	const error = await errorOf(idemstore.runOutside({ key, leaseMs: 150 }, async (claim) => {
		await idemstore.setValue(key, 'taken');
		await once(claim.signal, 'abort');
	}, { finish: charge }));
	assert.ok(error instanceof LostClaimError, String(error));
	assert.equal(await charges(pool, key), 0);
});

test('an owner whose answer is late is refused', async (t) => {
	const { pool, idemstore } = newIdemstore(t);
	const key = newKey();
	const { fence } = await idemstore.startProcessing(key, { leaseMs: 20 });
	await eventually(async () => (await idemstore.run({ key }, charge)).outcome === 'started');
	assert.ok(await errorOf(idemstore.complete(key, { fence, responseStatus: 200 })) instanceof LostClaimError);
	assert.equal(await charges(pool, key), 1);
});

const program = fileURLToPath(new URL('child.js', import.meta.url));

test('60 calls at once from two processes are one execution', async (t) => {
	const { pool } = newIdemstore(t);
	const key = newKey();
	const children = [1, 2].map(() => fork(program, ['run', key]));
	const results = (await Promise.all(children.map((child) => once(child, 'message')))).flatMap(([outcomes]) => outcomes);
	await Promise.all(children.map((child) => child.exitCode ?? once(child, 'exit')));
	assert.deepEqual([results.filter((one) => one === 'started').length, results.filter((one) => one === 'replay').length], [1, 59]);
	assert.equal(await charges(pool, key), 1);
});

test('40 calls at a limit of 5 are 5', async (t) => {
	const { idemstore } = newIdemstore(t);
	const name = newKey();
	const answers = await Promise.all(Array.from({ length: 40 }, () => idemstore.acquire(name, { quota: 5, perMs: HOUR })));
	assert.equal(answers.filter(Boolean).length, 5);
});

test('an owner that is killed is replaced', async (t) => {
	const { pool, idemstore } = newIdemstore(t);
	for (const where of ['inside', 'outside']) {
		const key = newKey();
		const child = fork(program, [where, key]);
		await once(child, 'message');
		child.kill('SIGKILL');
		await once(child, 'exit');
		assert.equal((await idemstore.run({ key, waitMs: HOUR }, charge)).outcome, 'started');
		assert.equal(await charges(pool, key), 1);
	}
});

test('a pool of 2 and 100 waiters: the owner is never short of a connection', async (t) => {
	const { idemstore } = newIdemstore(t, {}, { max: 2 });
	const key = newKey();
	const { fence } = await idemstore.startProcessing(key);
	const waiting = Array.from({ length: 100 }, () => idemstore.startProcessing(key, { waitMs: HOUR }));
	for (let i = 0; i < 20; i++)
		await idemstore.extendLease(key, fence, { leaseMs: HOUR });
	await idemstore.complete(key, { fence, responseStatus: 200 });
	const outcomes = (await Promise.all(waiting)).map((one) => one.outcome);
	assert.equal(outcomes.filter((one) => one === 'replay').length, 100);
});

test('a pool that is exhausted: all end, and each charges once', async (t) => {
	const { pool, idemstore } = newIdemstore(t, {}, { max: 2 });
	const keys = Array.from({ length: 5 }, newKey);
	const outcomes = await Promise.all(Array.from({ length: 100 }, (_, i) =>
		idemstore.runOutside({ key: keys[i % 5], waitMs: HOUR }, async () => {}, { finish: charge })));
	assert.equal(outcomes.filter((one) => one.outcome === 'started').length, 5);
	assert.equal(outcomes.filter((one) => one.outcome === 'replay').length, 95);
	for (const key of keys)
		assert.equal(await charges(pool, key), 1);
});

test('a signal ends a wait, on the server, too', async (t) => {
	const key = newKey();
	const { pool, idemstore } = newIdemstore(t, {}, { application_name: key });
	await idemstore.startProcessing(key);
	const waits = () => count(pool, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%idemstore.wait(%' AND application_name = $1 AND pid <> pg_backend_pid()", key);
	const stop = new AbortController();
	const first = errorOf(idemstore.startProcessing(key, { waitMs: HOUR, signal: stop.signal }));
	const second = errorOf(idemstore.startProcessing(key, { waitMs: HOUR, signal: stop.signal }));
	await eventually(async () => await waits() === 1);
	stop.abort(new Error('enough'));
	assert.equal((await first).message, 'enough');
	assert.equal((await second).message, 'enough');
	await eventually(async () => await waits() === 0);
});

test('a signal ends a wait of an executor, which cannot end a statement', async (t) => {
	const key = newKey();
	const pool = newPool(t, { application_name: key });
	const query = (text, values) => pool.query(text, values).then(({ rows }) => rows);
	const idemstore = new Idemstore({ query, transaction: assert.fail });
	const { fence } = await idemstore.startProcessing(key);
	const stop = new AbortController();
	const waiting = errorOf(idemstore.wait(key, { timeoutMs: HOUR, signal: stop.signal }));
	const closed = errorOf(idemstore.dedupeRegisterOrJoin(key).then(() => idemstore.dedupeWaitFor(key, { timeoutMs: HOUR })));
	await eventually(async () => await count(pool, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query ~ 'idemstore.(wait|dedupe_wait_for)[(]' AND application_name = $1 AND pid <> pg_backend_pid()", key) === 2);
	stop.abort(new Error('enough'));
	assert.equal((await waiting).message, 'enough');
	await idemstore.close();
	assert.match((await closed).message, /closed/);
	await new Idemstore({ pool }).complete(key, { fence });
	await new Idemstore({ pool }).dedupeComplete(key, 1);
});

test('nothing is left after close', async (t) => {
	const key = newKey();
	const pool = newPool(t, { application_name: key });
	const listeners = pool.listenerCount('error');
	const idemstore = new Idemstore({ pool });
	await idemstore.startProcessing(key);
	const waiting = errorOf(idemstore.startProcessing(key, { waitMs: HOUR }));
	const others = () => count(pool, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND query LIKE '%idemstore.wait(%' AND application_name = $1 AND pid <> pg_backend_pid()", key);
	await eventually(async () => await others() === 1);
	await idemstore.close();
	assert.match((await waiting).message, /closed/);
	await eventually(async () => await others() === 0);
	assert.equal((await pool.query('SELECT 1 AS open')).rows[0].open, 1);
	assert.equal(pool.listenerCount('error'), listeners);
});

test('10,000 gathered calls, a tenth of them errors: each gets its own', async (t) => {
	const { idemstore } = newIdemstore(t, { prefix: `${newKey()}/` });
	await idemstore.setRateLimit('even/*', 1, HOUR);
	await idemstore.setRateLimit('odd/*', 0, HOUR);
	const answers = await Promise.allSettled(Array.from({ length: 10000 }, (_, i) => {
		if (i % 20 === 10)
			return idemstore.acquire('unknown');
		return idemstore.acquire(`${i % 2 ? 'odd' : 'even'}/${i}`, i % 20 === 11 ? { cost: -1 } : undefined);
	}));
	answers.forEach(({ value, reason }, i) => {
		if (i % 20 === 10)
			assert.ok(reason instanceof NoLimitError);
		else if (i % 20 === 11)
			assert.equal(reason.code, '22023');
		else
			assert.equal(value, i % 2 === 0);
	});
	const verdicts = await Promise.all(Array.from({ length: 8 }, () => idemstore.consume('c', { quota: 3, perMs: HOUR })));
	assert.equal(verdicts.filter((one) => one.allowed).length, 3);
	await idemstore.cacheSet('k', null);
	assert.deepEqual(await Promise.all(['k', 'no', 'k', 'no'].map((key) => idemstore.cacheGet(key))), [null, undefined, null, undefined]);
});

test('a session that has not the prepared statement, as behind a pooler', async (t) => {
	const { pool, idemstore } = newIdemstore(t, { prefix: `${newKey()}/` }, { max: 1 });
	const limit = { quota: 3, perMs: HOUR };
	assert.equal(await idemstore.acquire('r', limit), true);
	const prepared = () => count(pool, 'SELECT count(*) FROM pg_prepared_statements');
	assert.equal(await prepared(), 1);
	await pool.query('DEALLOCATE ALL');
	const answers = [];
	for (let i = 0; i < 3; i++)
		answers.push(await idemstore.acquire('r', limit));
	assert.deepEqual(answers, [true, true, false]);
	assert.equal(await prepared(), 0);
});

test('a value is computed once', async (t) => {
	const { idemstore } = newIdemstore(t, { prefix: `${newKey()}/` });
	let computed = 0;
	const values = await Promise.all(Array.from({ length: 50 }, () => idemstore.getOrCompute('k', { ttlMs: HOUR, waitMs: HOUR }, async () => {
		computed++;
		await new Promise((resolve) => setTimeout(resolve, 20));
		return { a: null };
	})));
	assert.equal(computed, 1);
	for (const value of values)
		assert.deepEqual(value, { a: null });
	// What is invalidated while it is computed is given, and not stored.
	assert.equal(await idemstore.getOrCompute('late', { tags: ['t'] }, async () => {
		await idemstore.invalidateByTag('t');
		return 1;
	}), 1);
	assert.equal(await idemstore.cacheGet('late'), undefined);
});

test('the server crashes under load: whoever retries is charged once', async (t) => {
	const { pool, idemstore } = newIdemstore(t);
	const keys = Array.from({ length: 60 }, newKey);
	const pay = async (key) => {
		for (;;) {
			try {
				const { outcome } = await idemstore.run({ key, waitMs: 1000 }, charge);
				if (outcome === 'started' || outcome === 'replay')
					return;
			} catch {
				await new Promise((resolve) => setTimeout(resolve, 10));
			}
		}
	};
	const paid = [...keys, ...keys].map(pay);
	for (let i = 0; i < 2; i++)
		await promisify(execFile)('pg_ctl', ['-D', process.env.PGDATA, '-m', 'immediate', '-w', '-l', `${process.env.PGDATA}/crash.log`, 'restart']);
	await Promise.all(paid);
	for (const key of keys)
		assert.equal(await charges(pool, key), 1);
});
