// What every framework's middleware must do. serve(t, options, work) starts a
// server whose POST /pay runs work({ session, body, note }), which gives { status,
// headers, body }; it returns the address and a way to wait for its first call.
import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { Idemstore } from '../src/index.js';
import { charges, eventually, newIdemstore, newKey, newPool } from './support.js';

const HOUR = 3600000;

export async function post(url, key, body = '{"amount":1}', headers = {}) {
	const response = await fetch(url, {
		method: 'POST',
		headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }), ...headers },
		body,
	});
	return {
		status: response.status,
		headers: response.headers,
		isReplayed: response.headers.get('idempotent-replayed') === 'true',
		body: Buffer.from(await response.arrayBuffer()),
	};
}

function isProblem(answer, status) {
	assert.equal(answer.status, status, answer.body.toString());
	assert.equal(answer.headers.get('content-type'), 'application/problem+json');
	assert.equal(JSON.parse(answer.body).status, status);
}

/** A charge in the transaction of the response. */
const paying = (key) => async ({ session }) => {
	const client = await session.begin();
	await client.query('INSERT INTO charges VALUES ($1)', [key]);
	return { status: 201, headers: { 'content-type': 'text/plain', 'set-cookie': 'a=b', 'x-a': '1', 'x-secret': 's' }, body: 'paid' };
};

/** Work that goes on until it is let go. */
function held(work) {
	let go;
	let began;
	const isGone = new Promise((resolve) => { go = resolve; });
	const hasBegun = new Promise((resolve) => { began = resolve; });
	return { go, hasBegun, work: async (call) => (began(), await isGone, work(call)) };
}

export function idempotencySuite(serve) {
	for (const transaction of [true, false]) {
		const name = transaction ? 'in one transaction' : 'in two';

		test(`${name}: once, then replayed`, async (t) => {
			const { pool, idemstore } = newIdemstore(t);
			const key = newKey();
			const outcomes = [];
			const onOutcome = ({ outcome }) => outcomes.push(outcome);
			const url = await serve(t, { idemstore, transaction, omitHeaders: ['X-Secret'], onOutcome }, paying(key));
			const first = await post(url, key);
			assert.deepEqual([first.status, first.isReplayed, first.body.toString()], [201, false, 'paid']);
			assert.deepEqual(['set-cookie', 'x-a', 'x-secret'].map((one) => first.headers.get(one)), ['a=b', '1', 's']);
			const again = await post(url, `"${key}"`);
			assert.deepEqual([again.status, again.isReplayed, again.body.toString()], [201, true, 'paid']);
			assert.deepEqual(['set-cookie', 'x-a', 'x-secret', 'content-length'].map((one) => again.headers.get(one)), [null, '1', null, '4']);
			isProblem(await post(url, key, '{"amount":2}'), 422);
			assert.deepEqual(outcomes, ['started', 'replay', 'mismatch']);
			assert.equal(await charges(pool, key), 1);
		});

		test(`${name}: 60 at once are one execution`, async (t) => {
			const { pool, idemstore } = newIdemstore(t);
			const key = newKey();
			const url = await serve(t, { idemstore, transaction, waitMs: HOUR }, paying(key));
			const answers = await Promise.all(Array.from({ length: 60 }, () => post(url, key)));
			assert.equal(answers.filter((one) => one.status === 201 && !one.isReplayed).length, 1);
			assert.equal(answers.filter((one) => one.status === 201 && one.isReplayed).length, 59);
			assert.equal(await charges(pool, key), 1);
		});

		test(`${name}: while the first is at it, 409 at once`, async (t) => {
			const { pool, idemstore } = newIdemstore(t);
			const key = newKey();
			const { go, hasBegun, work } = held(paying(key));
			const url = await serve(t, { idemstore, transaction }, work);
			const first = post(url, key);
			await hasBegun;
			const second = await post(url, key);
			isProblem(second, 409);
			assert.match(second.headers.get('retry-after'), /^[1-9]\d*$/);
			go();
			assert.equal((await first).isReplayed, false);
			assert.equal((await post(url, key)).isReplayed, true);
			assert.equal(await charges(pool, key), 1);
		});

		test(`${name}: what is not stored leaves nothing, and runs again`, async (t) => {
			const { pool, idemstore } = newIdemstore(t);
			const key = newKey();
			const ways = [
				async (call) => ({ ...await paying(key)(call), status: 503 }),
				async (call) => { await paying(key)(call); throw new Error('wrong'); },
				async () => { throw new Error('wrong before'); },
				async () => ({ status: 400, headers: {}, body: 'not so' }),
				paying(key),
			];
			let calls = 0;
			const storeStatus = (status) => status < 400;
			const url = await serve(t, { idemstore, transaction, storeStatus }, (call) => ways[calls++](call));
			const statuses = [];
			for (const body of ['1', '1', '1', '1', '2', '2', '1'])
				statuses.push((await post(url, key, body)).status);
			assert.deepEqual(statuses, [503, 500, 500, 400, 201, 201, 422]);
			assert.equal(calls, 5);
			assert.equal(await charges(pool, key), 1);
		});

		test(`${name}: a client that hung up gets the answer with its retry`, async (t) => {
			const { pool, idemstore } = newIdemstore(t);
			const key = newKey();
			const { go, hasBegun, work } = held(paying(key));
			const url = await serve(t, { idemstore, transaction }, work);
			const request = http.request(url, { method: 'POST', headers: { 'content-type': 'application/json', 'idempotency-key': key } });
			request.on('error', () => {});
			request.end('{"amount":1}');
			await hasBegun;
			const closed = new Promise((resolve) => request.on('close', resolve));
			request.destroy();
			await closed;
			go();
			await eventually(async () => (await idemstore.get(key))?.status === 'complete');
			const answer = await post(url, key);
			assert.deepEqual([answer.status, answer.isReplayed, answer.body.toString()], [201, true, 'paid']);
			assert.equal(await charges(pool, key), 1);
		});
	}

	test('a claim that was lost: 409, and nothing is charged', async (t) => {
		const { pool, idemstore } = newIdemstore(t);
		const key = newKey();
		const url = await serve(t, { idemstore }, async (call) => {
			await idemstore.setValue(key, 'taken');
			return paying(key)(call);
		});
		isProblem(await post(url, key), 409);
		assert.equal(await charges(pool, key), 0);
	});

	test('tenants never meet', async (t) => {
		const { pool, idemstore } = newIdemstore(t);
		const key = newKey();
		const scope = (request) => (request.req?.header('x-tenant') ?? request.headers['x-tenant']);
		const url = await serve(t, { idemstore, scope }, paying(key));
		for (const tenant of ['a', 'b'])
			assert.equal((await post(url, key, undefined, { 'x-tenant': tenant })).isReplayed, false);
		assert.equal((await post(url, key, undefined, { 'x-tenant': 'a' })).isReplayed, true);
		assert.equal(await charges(pool, key), 2);
	});

	test('a key that is missing or malformed', async (t) => {
		const { idemstore } = newIdemstore(t);
		const work = async ({ session }) => ({ status: 200, headers: {}, body: session ? 'with' : 'without' });
		const required = await serve(t, { idemstore, required: true }, work);
		isProblem(await post(required), 400);
		for (const key of ['""', 'two words', '"open', 'a,b', 'x'.repeat(256)])
			isProblem(await post(required, key), 400);
		assert.equal((await post(await serve(t, { idemstore }, work))).body.toString(), 'without');
		for (const options of [{ methods: ['PUT'] }, { enabled: false }])
			assert.equal((await post(await serve(t, { idemstore, ...options }, work), newKey())).body.toString(), 'without');
	});

	test('bodies of 5 MB, byte for byte', async (t) => {
		const { idemstore } = newIdemstore(t);
		const large = Buffer.alloc(5 << 20, Buffer.from([0, 92, 39, 255, 34, 10]));
		const url = await serve(t, { idemstore }, async () => ({ status: 200, headers: { 'content-type': 'application/octet-stream' }, body: large }));
		const sent = JSON.stringify({ text: '\\\0'.repeat(600000) });
		const key = newKey();
		for (const isReplayed of [false, true]) {
			const answer = await post(url, key, sent);
			assert.equal(answer.isReplayed, isReplayed);
			assert.ok(answer.body.equals(large));
		}
	});

	test('answers without a body', async (t) => {
		const { idemstore } = newIdemstore(t);
		const url = await serve(t, { idemstore }, async () => ({ status: 204, headers: {}, body: null }));
		const key = newKey();
		for (const isReplayed of [false, true]) {
			const answer = await post(url, key);
			assert.deepEqual([answer.status, answer.isReplayed, answer.body.length], [204, isReplayed, 0]);
		}
	});

	test('the database is away: the request fails, and nothing ran', async (t) => {
		const pool = newPool(t, { host: '/nowhere' });
		let calls = 0;
		const url = await serve(t, { idemstore: new Idemstore({ pool }) }, async () => { calls++; });
		assert.equal((await post(url, newKey())).status, 500);
		assert.equal(calls, 0);
	});
}

export function rateLimitSuite(serve) {
	const fine = async () => ({ status: 200, headers: {}, body: 'fine' });

	test('rateLimit: five of eight', async (t) => {
		const { idemstore } = newIdemstore(t);
		const name = newKey();
		const outcomes = [];
		const url = await serve(t, { idemstore, resource: () => name, quota: 5, perMs: HOUR, onOutcome: ({ verdict }) => outcomes.push(verdict.allowed) }, fine);
		const answers = await Promise.all(Array.from({ length: 8 }, () => post(url)));
		const denied = answers.filter((one) => one.status === 429);
		assert.deepEqual([denied.length, answers.filter((one) => one.status === 200).length], [3, 5]);
		isProblem(denied[0], 429);
		assert.ok(Number(denied[0].headers.get('retry-after')) > 3000);
		assert.match(denied[0].headers.get('ratelimit'), /^"default";r=0;t=[1-9]\d*$/);
		assert.equal(outcomes.filter(Boolean).length, 5);
	});

	test('rateLimit: when the database is away', async (t) => {
		const away = new Idemstore({ pool: newPool(t, { host: '/nowhere' }) });
		const { pool, idemstore } = newIdemstore(t, {}, { max: 1 });
		const busy = await pool.connect();
		for (const options of [{ idemstore: away }, { idemstore, timeoutMs: 20 }]) {
			const statuses = [];
			const errors = [];
			for (const onError of ['allow', 'deny', 'throw', undefined]) {
				const url = await serve(t, { ...options, resource: () => 'r', quota: 1, perMs: HOUR, onError, onOutcome: ({ error }) => errors.push(error) }, fine);
				statuses.push((await post(url)).status);
			}
			assert.deepEqual(statuses, [200, 503, 500, 500]);
			assert.equal(errors.filter((error) => error instanceof Error).length, 4);
		}
		busy.release();
		const url = await serve(t, { idemstore: away, resource: () => 'r', enabled: false }, fine);
		assert.equal((await post(url)).status, 200);
	});
}
