// The client: the calls of the extension, work that runs once a key, waits that
// leave owners their connections, and calls that gather.
import { setMaxListeners } from 'node:events';
import { Call } from './calls/call.js';
import { Calls } from './calls.js';
import { WaitTimeoutError, named } from './errors.js';
import { abortable, executorOf, poolLike } from './executor.js';
import { Gatherer } from './gatherer.js';
import { Waiters } from './waiters.js';
import { runInTransaction, runOutside } from './work.js';

const WAIT_CONNECTIONS = 4;
const DEFAULT_WAIT_MS = 30000;

/**
 * @typedef {import('./executor.js').Executor} Executor
 * @typedef {{ prefix?: string, scope?: string, gatherMs?: number }} CommonOptions
 *   prefix: before keys, hashes, tags, resources and origins; scope: of records
 *   where a call names none; gatherMs: how long acquire, consume and cacheGet wait
 *   for others before they are sent, not at all without
 * @typedef {CommonOptions & { pool: any, waitPool?: any }} PoolOptions
 *   pool of pg; waitPool: for those who wait, by default a pool like the other
 *   with four connections
 * @typedef {CommonOptions & Executor & { waitQuery?: import('./executor.js').Query }} ExecutorOptions
 *   waitQuery: query on connections for those who wait
 */

export class Idemstore extends Calls {
	/** @type {Executor} */
	#executor;
	#pool;
	#waitPool;
	#ownsWaitPool = false;
	#waitQuery;
	#waiters = new Waiters(WAIT_CONNECTIONS);
	/** @type {AbortController} */
	#closing = new AbortController();
	#acquire;
	#consume;
	#cacheGet;

	/** @param {PoolOptions | ExecutorOptions} options */
	constructor(options) {
		const { pool, waitPool } = /** @type {any} */ (options);
		const executor = pool ? executorOf(pool) : /** @type {ExecutorOptions} */ (options);
		if (typeof executor.query !== 'function')
			throw new TypeError('a pool, or query and transaction, must be given');
		super(new Call((text, values, isOften) => executor.query(text, values, isOften), options.prefix, options.scope));
		this.#executor = executor;
		this.#pool = pool;
		this.#waitPool = waitPool;
		this.#waitQuery = /** @type {any} */ (options).waitQuery;

		const { gatherMs } = options;
		const limit = (/** @type {[string, import('./calls.js').Taking | undefined]} */ [, { quota, perMs, origin } = /** @type {any} */ ({})]) => JSON.stringify([quota, perMs, origin]);
		this.#acquire = new Gatherer(
			async (calls) => (calls.length === 1 ? [await super.acquire(...calls[0])] : super.acquireMany(...many(calls))), limit, gatherMs);
		this.#consume = new Gatherer(
			async (calls) => (calls.length === 1 ? [await super.consume(...calls[0])] : super.consumeMany(...many(calls))), limit, gatherMs);
		this.#cacheGet = new Gatherer((keys) => super.cacheGetMany(keys), () => '', gatherMs);
	}

	/**
	 * End what this object made: a pool that was given stays open. Waits end.
	 */
	async close() {
		this.#closing.abort(new Error('the Idemstore was closed'));
		if (this.#ownsWaitPool)
			await this.#waitPool.end();
		this.#ownsWaitPool = false;
	}

	/**
	 * A query for waits, which a signal ends.
	 *
	 * @param {AbortSignal} signal
	 * @returns {import('./executor.js').Query}
	 */
	#waiting(signal) {
		if (!this.#pool)
			return this.#waitQuery ?? this.#executor.query;
		if (!this.#waitPool) {
			this.#waitPool = poolLike(this.#pool, WAIT_CONNECTIONS);
			this.#ownsWaitPool = true;
		}
		return abortable(this.#waitPool, this.#pool, signal);
	}

	/** @param {AbortSignal | undefined} signal */
	#signalOf(signal) {
		const ended = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
		// One listener for each who waits is no leak.
		setMaxListeners(0, ended);
		return ended;
	}

	/**
	 * Claim the key, or say why not, after at most waitMs for its owner.
	 *
	 * @param {string} key
	 * @param {import('./calls.js').StartOptions} [options]
	 * @returns {Promise<import('./calls.js').Verdict>}
	 */
	startProcessing(key, options = {}) {
		return this.decide(key, options, () => this.start(key, options));
	}

	/**
	 * Decide again and again while the key is in progress and time is left. What it
	 * waits in holds no transaction.
	 *
	 * @template {{ outcome: string, retryAfterMs?: number | null }} T
	 * @param {string} key
	 * @param {import('./calls.js').StartOptions} options
	 * @param {() => Promise<T>} once
	 * @returns {Promise<T>}
	 */
	async decide(key, { waitMs = 0, scope, signal }, once) {
		const deadline = performance.now() + waitMs;
		for (;;) {
			signal?.throwIfAborted();
			const decided = await once();
			let left = deadline - performance.now();
			if (decided.outcome !== 'in_progress' || left <= 0)
				return decided;
			// An owner whose lease ends is taken over, which only deciding again does.
			if (decided.retryAfterMs)
				left = Math.min(left, decided.retryAfterMs);
			const ended = this.#signalOf(signal);
			await this.#waiters.turn(JSON.stringify([scope, key]), left, ended, async () => {
				try {
					await this.by(this.#waiting(ended)).wait(key, { timeoutMs: left, scope });
				} catch (error) {
					if (!(error instanceof WaitTimeoutError))
						throw error;
				}
			});
		}
	}

	/**
	 * @param {string} key
	 * @param {{ timeoutMs?: number, scope?: string, signal?: AbortSignal }} [options]
	 * @returns {Promise<import('./calls.js').IdempotencyRecord | null>}
	 */
	async wait(key, { timeoutMs = DEFAULT_WAIT_MS, scope, signal } = {}) {
		const ended = this.#signalOf(signal);
		/** @type {import('./calls.js').IdempotencyRecord | null} */
		let record = null;
		const name = JSON.stringify([scope, key]);
		const isServed = await this.#waiters.untilServed(name, timeoutMs, ended, async (left) => {
			record = await this.by(this.#waiting(ended)).wait(key, { timeoutMs: left, scope });
		});
		if (!isServed)
			throw new WaitTimeoutError('the wait timed out', { code: 'ID408' });
		return record;
	}

	/**
	 * @param {string} hash
	 * @param {{ timeoutMs?: number, jobId?: string, signal?: AbortSignal }} [options]
	 */
	async dedupeWaitFor(hash, { timeoutMs = DEFAULT_WAIT_MS, jobId, signal } = {}) {
		const ended = this.#signalOf(signal);
		/** @type {Awaited<ReturnType<Calls['dedupeWaitFor']>>} */
		let done = { outcome: 'timeout', value: undefined, error: undefined };
		const ask = async (/** @type {number} */ left) => {
			done = await this.by(this.#waiting(ended)).dedupeWaitFor(hash, { timeoutMs: left, jobId });
		};
		if (!await this.#waiters.untilServed(`dedupe ${hash}`, timeoutMs, ended, ask))
			done = await super.dedupeWaitFor(hash, { timeoutMs: 0, jobId });
		return done;
	}

	/**
	 * @param {string} key
	 * @param {{ leaseMs?: number, staleMs?: number, waitMs?: number, signal?: AbortSignal }} [options]
	 */
	async cacheFetch(key, { waitMs = 0, signal, ...options } = {}) {
		let fetched = await super.cacheFetch(key, options);
		if (fetched.outcome !== 'in_progress' || waitMs <= 0)
			return fetched;
		const ended = this.#signalOf(signal);
		await this.#waiters.untilServed(`cache ${key}`, waitMs, ended, async (left) => {
			fetched = await this.by(this.#waiting(ended)).cacheFetch(key, { ...options, waitMs: left });
		});
		return fetched;
	}

	/**
	 * The value, computed by one caller at a time while the others wait. compute must
	 * read what it computes from after it is called: what is invalidated meanwhile is
	 * given to the caller and not stored.
	 *
	 * @template T
	 * @param {string} key
	 * @param {{ ttlMs?: number, tags?: string[], leaseMs?: number, staleMs?: number, waitMs?: number, signal?: AbortSignal }} options
	 * @param {() => Promise<T>} compute
	 * @returns {Promise<T>}
	 */
	async getOrCompute(key, { ttlMs, tags, waitMs = 10000, ...options }, compute) {
		const fetched = await this.cacheFetch(key, { waitMs, ...options });
		if (fetched.outcome === 'in_progress')
			throw new WaitTimeoutError('the value is being computed elsewhere', { code: 'ID408' });
		if (fetched.outcome !== 'compute')
			return fetched.valueBytes ?? fetched.value;
		const value = await compute();
		if (Buffer.isBuffer(value))
			await this.cacheSetBytes(key, value, { ttlMs, tags, fence: fetched.fence });
		else
			await this.cacheSet(key, value, { ttlMs, tags, fence: fetched.fence });
		return value;
	}

	/**
	 * Take from the resource's limits; false, and nothing is taken, when one has too
	 * little left. Gathers with other calls.
	 *
	 * @param {string} resource
	 * @param {import('./calls.js').Taking} [taking]
	 * @returns {Promise<boolean>}
	 */
	acquire(resource, taking) {
		return this.#acquire.ask([resource, taking]);
	}

	/**
	 * acquire() with the whole verdict.
	 *
	 * @param {string} resource
	 * @param {import('./calls.js').Taking} [taking]
	 * @returns {Promise<import('./calls.js').LimitVerdict>}
	 */
	consume(resource, taking) {
		return this.#consume.ask([resource, taking]);
	}

	/**
	 * The value, or undefined for a miss: the JSON null is null, bytes are a Buffer.
	 * Gathers with other calls.
	 *
	 * @param {string} key
	 * @returns {Promise<any>}
	 */
	async cacheGet(key) {
		const { value, valueBytes } = await this.#cacheGet.ask(key);
		return valueBytes ?? value;
	}

	/**
	 * Do the work once: claim, work and response commit together or not at all. What
	 * work throws rolls all back and comes out as it is. Other outcomes are values.
	 *
	 * An error of the commit itself leaves open whether it took place: run it again
	 * with the same key, and the answer is replay if it did.
	 *
	 * @template Client
	 * @param {import('./calls.js').StartOptions & { key: string }} options
	 * @param {(client: any, claim: import('./work.js').Claim) => Promise<import('./work.js').Response>} work
	 * @returns {Promise<import('./work.js').Result>}
	 */
	run({ key, ...options }, work) {
		return this.decide(key, options, () => this.#named(runInTransaction(this, this.#executor, key, options, work)));
	}

	/**
	 * Do work that must not hold a transaction open, such as a call to a provider: a
	 * claim, the work, then a transaction of finish and the response. The lease (five
	 * minutes by default) is extended meanwhile; when the claim is lost all the same,
	 * claim.signal aborts and LostClaimError is thrown. What work or finish throw ends
	 * the attempt, so that the next call begins another one.
	 *
	 * @template T
	 * @param {import('./calls.js').StartOptions & { key: string }} options
	 * @param {(claim: import('./work.js').Claim) => Promise<T>} work
	 * @param {{ finish: (client: any, claim: import('./work.js').Claim, result: T) => Promise<import('./work.js').Response> }} last
	 * @returns {Promise<import('./work.js').Result>}
	 */
	runOutside({ key, ...options }, work, { finish }) {
		return this.#named(runOutside(this, this.#executor, key, options, work, finish));
	}

	/**
	 * @template T
	 * @param {Promise<T>} promise
	 */
	async #named(promise) {
		try {
			return await promise;
		} catch (error) {
			throw named(error);
		}
	}
}

/**
 * The arguments of a call for many.
 *
 * @param {[string, import('./calls.js').Taking | undefined][]} calls of one group
 * @returns {[string[], any]}
 */
function many(calls) {
	const { quota, perMs, origin } = calls[0][1] ?? {};
	const hasPriority = calls.some(([, taking]) => taking?.priority !== undefined);
	return [calls.map(([resource]) => resource), {
		costs: calls.map(([, taking]) => taking?.cost ?? 1),
		priorities: hasPriority ? calls.map(([, taking]) => taking?.priority) : undefined,
		quota, perMs, origin,
	}];
}
