// Store of @fastify/rate-limit, which constructs it by itself.
import { COUNT_ALL, NamedStore } from './store.js';

/**
 * The class for the plugin's option store.
 *
 * @param {import('./store.js').NamedStoreOptions} options two plugins need two prefixes
 * @returns {{ new (pluginOptions: PluginOptions): PluginStore, close(): Promise<void> }}
 */
export function rateLimitStore(options) {
	const shared = new NamedStore(options, 'fastify-rate-limit:');
	return class RateLimitStore extends PluginStore {
		/** @param {PluginOptions} pluginOptions */
		constructor(pluginOptions) {
			super(shared.idemstore, shared.prefix, pluginOptions);
		}

		static close() {
			return shared.close();
		}
	};
}

/**
 * @typedef {{ ban?: number, continueExceeding?: boolean, exponentialBackoff?: boolean }} PluginOptions
 * @typedef {(error: Error | null, result?: { current: number, ttl: number }) => void} Callback
 */

export class PluginStore {
	#idemstore;
	#prefix;
	#isCounting;

	/**
	 * Denied requests count only where something depends on it: otherwise who
	 * goes on while denied gets in again as soon as the window has room.
	 *
	 * @param {import('../index.js').Idemstore} idemstore
	 * @param {string} prefix
	 * @param {PluginOptions} options
	 */
	constructor(idemstore, prefix, { ban = -1, continueExceeding = false, exponentialBackoff = false }) {
		if (exponentialBackoff)
			throw new TypeError('exponentialBackoff needs a window that grows, and the windows of idemstore slide');
		this.#idemstore = idemstore;
		this.#prefix = prefix;
		this.#isCounting = continueExceeding || ban >= 0;
	}

	/**
	 * @param {string} key
	 * @param {Callback} callback
	 * @param {number} timeWindow in milliseconds
	 * @param {number} max
	 */
	incr(key, callback, timeWindow, max) {
		this.#idemstore.consume(this.#prefix + key, this.#limit(timeWindow, max))
			.then((verdict) => usage(verdict))
			.then((result) => callback(null, result), callback);
	}

	/**
	 * As incr(), and takes nothing.
	 *
	 * @param {string} key
	 * @param {Callback} callback
	 * @param {number} timeWindow in milliseconds
	 * @param {number} max
	 */
	read(key, callback, timeWindow, max) {
		this.#idemstore.rateLimitStatus(this.#prefix + key, this.#limit(timeWindow, max))
			.then(([verdict]) => usage({ ...verdict, allowed: true }))
			.then((result) => callback(null, result), callback);
	}

	/** @param {any} routeOptions the plugin's own for a route, and the route as routeInfo */
	child({ routeInfo = {}, ...options }) {
		return new PluginStore(this.#idemstore, `${this.#prefix}${routeInfo.method}${routeInfo.url}-`, options);
	}

	/**
	 * @param {number} timeWindow
	 * @param {number} max
	 */
	#limit(timeWindow, max) {
		return { quota: this.#isCounting ? COUNT_ALL : Math.max(0, Math.min(max, COUNT_ALL)), perMs: timeWindow };
	}
}

/**
 * What was used and for how long, and for a denied request one more than that.
 *
 * @param {import('../calls.js').LimitVerdict} verdict
 */
function usage({ allowed, quota, remaining, resetAt, decidedAt, retryAfterMs }) {
	const used = quota - remaining;
	return allowed
		? { current: used, ttl: Number(resetAt) - Number(decidedAt) }
		: { current: used + 1, ttl: Number(retryAfterMs) };
}
