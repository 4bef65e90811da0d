// Store of express-rate-limit.
//
// The middleware compares: every request counts, denied ones too, in a window
// that slides. So the database counts, and limits nothing.
import { COUNT_ALL, NamedStore } from './store.js';

export class RateLimitStore extends NamedStore {
	localKeys = false;
	#limit = { quota: COUNT_ALL, perMs: 60000 };

	/** @param {import('./store.js').NamedStoreOptions} options two limiters need two prefixes */
	constructor(options) {
		super(options, 'express-rate-limit:');
	}

	/** @param {{ windowMs: number }} options */
	init({ windowMs }) {
		this.#limit.perMs = windowMs;
	}

	/**
	 * @param {string} key
	 * @returns {Promise<{ totalHits: number, resetTime: Date | undefined }>}
	 */
	async increment(key) {
		return hits(await this.idemstore.consume(this.nameOf(key), this.#limit));
	}

	/**
	 * Takes one request back, which need not be the last.
	 *
	 * @param {string} key
	 */
	async decrement(key) {
		await this.idemstore.refund(this.nameOf(key), 1, 'infinity', this.#limit);
	}

	/**
	 * @param {string} key
	 * @returns {Promise<{ totalHits: number, resetTime: Date | undefined } | undefined>}
	 */
	async get(key) {
		const [verdict] = await this.idemstore.rateLimitStatus(this.nameOf(key), this.#limit);
		return verdict.remaining < COUNT_ALL ? hits(verdict) : undefined;
	}

	/** @param {string} key */
	async resetKey(key) {
		await this.idemstore.rateLimitReset(this.nameOf(key));
	}

	/** Needs the level operator. */
	async resetAll() {
		await this.idemstore.rateLimitClear(this.prefix);
	}

	shutdown() {
		return this.close();
	}
}

/** @param {import('../calls.js').LimitVerdict} verdict */
function hits({ remaining, resetAt }) {
	return { totalHits: COUNT_ALL - remaining, resetTime: resetAt };
}
