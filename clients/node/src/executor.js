// Where statements go: a pool of pg, or an executor that the caller gives.
import { named } from './errors.js';

/**
 * @typedef {(text: string, values: any[]) => Promise<any[]>} Query gives the rows
 * @typedef {{
 *   query: Query,
 *   transaction: <T>(work: (client: any, query: Query) => Promise<T>) => Promise<T>,
 * }} Executor
 */

/**
 * @param {any} pool of pg
 * @returns {Executor}
 */
export function executorOf(pool) {
	return {
		query: async (text, values) => (await pool.query(text, values)).rows,
		transaction: (work) => inTransaction(pool, work),
	};
}

/**
 * A connection that cannot roll back is closed, which has the same effect.
 *
 * @template T
 * @param {any} pool
 * @param {(client: any, query: Query) => Promise<T>} work
 */
async function inTransaction(pool, work) {
	const client = await pool.connect();
	// A connection that is lost between two statements fails the next one.
	const lost = () => {};
	client.on('error', lost);
	const release = (/** @type {any} */ error) => {
		client.off('error', lost);
		client.release(error);
	};
	try {
		await client.query('BEGIN');
		const result = await work(client, async (text, values) => (await client.query(text, values)).rows);
		await client.query('COMMIT');
		release(undefined);
		return result;
	} catch (error) {
		await client.query('ROLLBACK').then(() => release(undefined), release);
		throw named(error);
	}
}

/**
 * A pool for those who wait: one like the other, with a few connections.
 *
 * @param {any} pool
 * @param {number} max
 */
export function poolLike(pool, max) {
	const { password, ssl } = pool.options;
	const made = new pool.constructor({ ...pool.options, password, ssl, max, min: 0 });
	// An idle connection that is lost is replaced.
	made.on('error', () => {});
	return made;
}

/**
 * A query on a connection of the pool that a signal ends, on the server, too.
 *
 * @param {any} pool
 * @param {any} canceller another pool
 * @param {AbortSignal | undefined} signal
 * @returns {Query}
 */
export function abortable(pool, canceller, signal) {
	return async (text, values) => {
		if (signal === undefined)
			return (await pool.query(text, values)).rows;
		signal.throwIfAborted();
		const client = await pool.connect();
		const cancel = () => canceller.query('SELECT pg_cancel_backend($1)', [client.processID]).catch(() => {});
		let cancelled;
		const onAbort = () => { cancelled = cancel(); };
		try {
			signal.throwIfAborted();
			signal.addEventListener('abort', onAbort);
			return (await client.query(text, values)).rows;
		} catch (error) {
			throw signal.aborted ? signal.reason : error;
		} finally {
			signal.removeEventListener('abort', onAbort);
			// The cancel must not meet who has the connection next.
			await cancelled;
			client.release();
		}
	};
}
