// StorageAdapter and waitCallback of @litert/idempotency.
import { AlreadyFinalError, NotFoundError } from '../index.js';
import { Store } from './store.js';

const PENDING = 0;
const SUCCESS = 1;
const FAILED = 2;

const STATUS = { processing: PENDING, abandoned: PENDING, complete: SUCCESS, failed: FAILED };

// A result comes back as it was given: where it was bytes, the headers say so.
const BYTES = { 'content-type': 'application/octet-stream' };

/**
 * @typedef {{ key: string, status: number, context?: unknown, result?: string | Buffer }} StoredRecord
 */

export class StorageAdapter extends Store {
	#scope;
	#ttlMs;

	/**
	 * @param {import('./store.js').StoreOptions & { scope?: string, ttl?: number }} options
	 *   ttl: in milliseconds, counted anew by update()
	 */
	constructor({ scope, ttl, ...options }) {
		super(options);
		this.#scope = scope;
		this.#ttlMs = ttl;
	}

	/**
	 * @param {StoredRecord} record
	 * @returns {Promise<boolean>} false: there is one
	 */
	async create({ key, status, context, result }) {
		const isCreated = await this.idemstore.initiate(key, { context, ttlMs: this.#ttlMs, scope: this.#scope });
		if (isCreated && status !== PENDING)
			await this.update({ key, status, result });
		return isCreated;
	}

	/**
	 * @param {string} key
	 * @returns {Promise<StoredRecord | null>}
	 */
	async get(key) {
		return this.#record(key, await this.idemstore.get(key, { scope: this.#scope }));
	}

	/**
	 * The record once it is final, null where there is none. Throws
	 * WaitTimeoutError.
	 *
	 * @param {string} key
	 * @param {number} [timeoutMs]
	 * @returns {Promise<StoredRecord | null>}
	 */
	async wait(key, timeoutMs) {
		return this.#record(key, await this.idemstore.wait(key, { timeoutMs, scope: this.#scope }));
	}

	/**
	 * @param {string} key
	 * @param {import('../calls.js').IdempotencyRecord | null} row
	 */
	#record(key, row) {
		if (!row)
			return null;
		/** @type {StoredRecord} */
		const record = { key, status: STATUS[row.status], context: row.context };
		if (row.responseBody)
			record.result = row.responseHeaders ? row.responseBody : row.responseBody.toString();
		return record;
	}

	/**
	 * A final record stays as it is, and none is created: a success that comes
	 * too late throws. A failure does not: the executor is about to throw the
	 * operation's own error.
	 *
	 * @param {StoredRecord} record
	 */
	async update({ key, status, result }) {
		const isBytes = Buffer.isBuffer(result);
		const response = {
			responseText: isBytes ? undefined : result,
			responseBody: isBytes ? result : undefined,
			responseHeaders: isBytes ? BYTES : undefined,
			ttlMs: this.#ttlMs,
			scope: this.#scope,
		};
		if (status === SUCCESS)
			await this.idemstore.complete(key, response);
		else if (status === FAILED)
			await this.idemstore.fail(key, response).catch(passTooLate);
		else
			throw new TypeError('status must be SUCCESS or FAILED');
	}
}

/** @param {unknown} error */
function passTooLate(error) {
	if (!(error instanceof NotFoundError || error instanceof AlreadyFinalError))
		throw error;
}

/**
 * A waitCallback for IdempotencyManager: woken by the commit that ends the
 * operation, it resolves with the value or throws the stored error.
 *
 * @param {StorageAdapter} adapter the manager's own
 * @param {{ timeoutMs?: number }} [options]
 */
export function waitCallback(adapter, { timeoutMs } = {}) {
	return async (/** @type {string} */ key, /** @type {{ get(key: string): Promise<any> }} */ manager) => {
		await adapter.wait(key, timeoutMs);
		const record = await manager.get(key);
		if (record?.status === SUCCESS)
			return record.result;
		if (record?.status === FAILED)
			throw record.result;
		throw new NotFoundError('the operation is gone');
	};
}
