// What the tests share. Each has names of its own, so that they need no clean
// database: PGHOST and its like lead to one with the extension.
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { Idemstore } from '../src/index.js';

/**
 * A pool that ends with the test.
 *
 * @param {import('node:test').TestContext} t
 */
export function newPool(t, options) {
	const pool = new pg.Pool(options);
	pool.on('error', () => {});
	t.after(() => pool.end());
	return pool;
}

/** A client on a pool of its own. */
export function newIdemstore(t, options = {}, poolOptions = {}) {
	const pool = newPool(t, poolOptions);
	const idemstore = new Idemstore({ pool, ...options });
	t.after(() => idemstore.close());
	return { pool, idemstore };
}

export const newKey = () => `key-${randomUUID()}`;

/** What a call threw. */
export async function errorOf(promise) {
	try {
		await promise;
	} catch (error) {
		return error;
	}
	throw new Error('nothing was thrown');
}

/** Until something holds: there is no limit but the runner's own. */
export async function eventually(holds) {
	while (!await holds())
		await new Promise((resolve) => setTimeout(resolve, 5));
}

export async function count(pool, text, ...values) {
	return Number(Object.values((await pool.query(text, values)).rows[0])[0]);
}

export const charges = (pool, key) => count(pool, 'SELECT count(*) FROM charges WHERE payment = $1', key);

/** Business work in the claim's transaction. */
export async function charge(client, { key }) {
	await client.query('INSERT INTO charges VALUES ($1)', [key]);
	return { status: 201, headers: { 'x-a': 'b' }, body: 'paid' };
}
