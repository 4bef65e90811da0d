// What all stores for libraries share: where the calls go, the prefix before
// names, and durations as libraries give them.
//
// A store closes what it made itself and nothing else: a pool or an Idemstore
// that was given belongs to who gave it.
import { Idemstore } from '../index.js';

const DAY_MS = 24 * 60 * 60 * 1000;

/** The longest ttl: PostgreSQL's side refuses what is above ten years. */
export const LONGEST_TTL_MS = 3650 * DAY_MS;

/** The longest wait that one call may ask for. */
export const LONGEST_WAIT_MS = DAY_MS;

/** What a limit counts up to when it only counts. */
export const COUNT_ALL = 2147483647;

/**
 * @typedef {object} StoreOptions
 * @property {import('../index.js').Idemstore} [idemstore] where the calls go
 * @property {object} [pool] or a pool of pg
 * @property {object} [waitPool] connections for who waits, with pool
 *
 * @typedef {StoreOptions & { prefix?: string }} NamedStoreOptions
 *   prefix stands before every name
 */

export class Store {
	#own;

	/** @param {StoreOptions} options */
	constructor({ idemstore, pool, waitPool }) {
		if (!idemstore && !pool)
			throw new TypeError('idemstore or pool must be given');
		this.idemstore = idemstore ?? new Idemstore({ pool, waitPool });
		this.#own = !idemstore;
	}

	async close() {
		if (this.#own)
			await this.idemstore.close();
	}
}

export class NamedStore extends Store {
	/**
	 * @param {NamedStoreOptions} options
	 * @param {string} defaultPrefix keeps what a store clears apart from the rest
	 */
	constructor({ prefix, ...options }, defaultPrefix) {
		super(options);
		this.prefix = prefix ?? defaultPrefix;
	}

	/**
	 * A name as the database has it.
	 *
	 * @param {string} key
	 */
	nameOf(key) {
		return this.prefix + key;
	}

	/**
	 * And as it was given.
	 *
	 * @param {string} name
	 */
	keyOf(name) {
		return name.slice(this.prefix.length);
	}
}

/**
 * A ttl as a library gives it: above 0 expires, 0 or none or Infinity never,
 * below 0 is over.
 *
 * @param {number} [ms]
 */
export function ttlOf(ms) {
	if (ms === undefined || ms === null || ms === Infinity)
		return 0;
	return ms < 0 ? -1 : Math.min(ms, LONGEST_TTL_MS);
}

/**
 * Has JSON no word for the value?
 *
 * @param {unknown} value
 */
export function isUnsayable(value) {
	return value === undefined || typeof value === 'function' || typeof value === 'symbol';
}

/**
 * The pages of a list by prefix.
 *
 * @template {{ [column: string]: any }} Row
 * @param {(page: { after: string, maxRows: number }) => Promise<Row[]>} list
 * @param {string} column whose value the next page comes after
 * @param {number} [maxRows] of a page
 * @returns {AsyncGenerator<Row[], void>}
 */
export async function* pages(list, column, maxRows = 1000) {
	let after = '';
	for (;;) {
		const rows = await list({ after, maxRows });
		yield rows;
		if (rows.length < maxRows)
			return;
		after = rows[rows.length - 1][column];
	}
}

/**
 * Their rows.
 *
 * @template {{ [column: string]: any }} Row
 * @param {(page: { after: string, maxRows: number }) => Promise<Row[]>} list
 * @param {string} column
 * @returns {AsyncGenerator<Row, void>}
 */
export async function* walk(list, column) {
	for await (const rows of pages(list, column))
		yield* rows;
}

/**
 * The rows from offset on, at most limit; those before are read and left.
 *
 * @template Row
 * @param {AsyncIterable<Row>} rows
 * @param {number} offset
 * @param {number} limit
 */
export async function slice(rows, offset, limit) {
	/** @type {Row[]} */
	const found = [];
	if (limit <= 0)
		return found;
	for await (const row of rows) {
		if (offset-- > 0)
			continue;
		found.push(row);
		if (found.length >= limit)
			break;
	}
	return found;
}
