// IdempotencyStore of idempot.
//
// Its middleware passes no fence and no owner, so that this store keeps both by
// key: the fence from a start to the completion, and the owner from a start
// whose answer was lost to the next try, which is then told that it has started.
import { randomUUID } from 'node:crypto';
import { NotFoundError } from '../index.js';
import { Store } from './store.js';

const FINAL = new Set(['complete', 'failed']);

// How many claims without a completion, and starts without an answer, are kept:
// requests whose clients hang up leave some behind.
const MOST_KEPT = 10000;

class KeyExistsError extends Error {
	name = 'IdempotencyKeyExistsError';
}

// The middleware asks for an instance of its own class.
let keyExistsError;
function loadKeyExistsError() {
	keyExistsError ??= import(/** @type {string} */ ('@idempot/core')).then(
		({ IdempotencyKeyExistsError }) => IdempotencyKeyExistsError ?? KeyExistsError,
		() => KeyExistsError);
	return keyExistsError;
}

/**
 * @typedef {{ status: number, headers: Record<string, string>, body: string }} Response
 * @typedef {{
 *   key: string,
 *   fingerprint: string,
 *   status: 'processing' | 'complete',
 *   response?: Response,
 *   expiresAt: number,
 * }} IdempotencyRecord
 */

export class IdempotencyStore extends Store {
	#scope;
	#leaseMs;
	/** @type {Map<string, string>} */
	#fences = new Map();
	/** @type {Map<string, string>} */
	#owners = new Map();

	/**
	 * @param {import('./store.js').StoreOptions & { scope?: string, leaseMs?: number }} options
	 *   leaseMs: from when on a request that has no response yet may be started
	 *   again; it must outlast the longest one
	 */
	constructor({ scope, leaseMs, ...options }) {
		super(options);
		this.#scope = scope;
		this.#leaseMs = leaseMs;
	}

	/**
	 * @param {string} key
	 * @param {string} fingerprint
	 * @returns {Promise<{ byKey: IdempotencyRecord | null, byFingerprint: IdempotencyRecord | null }>}
	 */
	async lookup(key, fingerprint) {
		const rows = await this.idemstore.lookup(key, { fingerprint, scope: this.#scope });
		const find = (/** @type {string} */ matched) => this.#record(rows.find((row) => row.matched === matched));
		return { byKey: find('key'), byFingerprint: find('fingerprint') };
	}

	/**
	 * An abandoned claim would be answered 409, and never started again.
	 *
	 * @param {import('../calls.js').IdempotencyRecord} [row]
	 * @returns {IdempotencyRecord | null}
	 */
	#record(row) {
		if (!row || row.status === 'abandoned')
			return null;
		/** @type {IdempotencyRecord} */
		const record = {
			key: row.key,
			fingerprint: row.fingerprint ?? '',
			status: FINAL.has(row.status) ? 'complete' : 'processing',
			expiresAt: Number(row.expiresAt),
		};
		if (FINAL.has(row.status))
			record.response = {
				status: row.responseStatus ?? 500,
				headers: row.responseHeaders ?? {},
				body: row.responseBody?.toString() ?? '',
			};
		return record;
	}

	/**
	 * Throws IdempotencyKeyExistsError where another request has the key.
	 *
	 * @param {string} key
	 * @param {string} fingerprint
	 * @param {number} ttlMs
	 */
	async startProcessing(key, fingerprint, ttlMs) {
		const lost = this.#owners.get(key);
		const owner = lost ?? randomUUID();
		// Of two tries at once, one alone may be the owner.
		this.#owners.delete(key);
		let outcome, fence;
		try {
			({ outcome, fence } = await this.idemstore.startProcessing(key, {
				fingerprint, ttlMs, owner, leaseMs: this.#leaseMs, scope: this.#scope,
			}));
		} catch (error) {
			keep(this.#owners, key, owner);
			throw error;
		}
		if (outcome !== 'started') {
			if (lost)
				keep(this.#owners, key, lost);
			const KeyExists = await loadKeyExistsError();
			throw new KeyExists(`idempotency key exists: ${outcome}`);
		}
		keep(this.#fences, key, fence);
	}

	/**
	 * @param {string} key
	 * @param {Response} response
	 */
	async complete(key, { status, headers, body }) {
		const fence = this.#fences.get(key);
		if (fence === undefined)
			throw notFound(key);
		try {
			await this.idemstore.complete(key, {
				responseStatus: status, responseHeaders: headers, responseText: body, fence, scope: this.#scope,
			});
		} catch (error) {
			throw error instanceof NotFoundError ? notFound(key, error) : error;
		}
		if (this.#fences.get(key) === fence)
			this.#fences.delete(key);
	}
}

/**
 * The middleware logs no more than the message.
 *
 * @param {string} key
 * @param {unknown} [cause]
 */
function notFound(key, cause) {
	return new NotFoundError(`No record found for key "${key}"`, { code: 'ID404', cause });
}

/**
 * Set as the newest, and forget the oldest beyond the bound.
 *
 * @param {Map<string, string>} map
 * @param {string} key
 * @param {string} value
 */
function keep(map, key, value) {
	map.delete(key);
	map.set(key, value);
	if (map.size > MOST_KEPT)
		map.delete(/** @type {string} */ (map.keys().next().value));
}
