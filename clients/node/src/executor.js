// Where statements go: a pool of pg, or an executor that the caller gives.
import { createHash } from 'node:crypto';
import { named } from './errors.js';

/**
 * @typedef {(text: string, values: any[], isOften?: boolean) => Promise<any[]>} Query
 *   gives the rows; isOften: worth a prepared statement
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
	return { query: preparing(pool), transaction: (work) => inTransaction(pool, work) };
}

/** What a pooler says that gives each transaction another session: nothing was done. */
const NOT_PREPARED = ['26000', '42P05'];

/**
 * @param {any} pool
 * @returns {Query}
 */
function preparing(pool) {
	/** @type {Map<string, string>} */
	const names = new Map();
	let isPrepared = true;
	return async (text, values, isOften) => {
		if (isOften && isPrepared) {
			const name = names.get(text) ?? `idemstore_${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
			names.set(text, name);
			try {
				return (await pool.query({ name, text, values })).rows;
			} catch (error) {
				if (!NOT_PREPARED.includes(/** @type {any} */ (error).code))
					throw error;
				isPrepared = false;
			}
		}
		return (await pool.query(text, values)).rows;
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
		let isOver = false;
		// Again and again: one that comes while the server reads the rest of the
		// statement is ignored.
		const cancel = async () => {
			while (!isOver) {
				await canceller.query('SELECT pg_cancel_backend($1)', [client.processID]).catch(() => {});
				await new Promise((resolve) => setTimeout(resolve, 20));
			}
		};
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
			isOver = true;
			// The cancel must not meet who has the connection next.
			await cancelled;
			client.release();
		}
	};
}
