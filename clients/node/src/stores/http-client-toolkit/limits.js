// RateLimitStore of http-client-toolkit, and what AdaptiveRateLimitStore has in
// common with it.
import { COUNT_ALL, LONGEST_TTL_MS, NamedStore } from '../store.js';

// The name under which the client gives its default.
export const DEFAULT = '__default__';

// How many resources the lists for dashboards look at.
const MOST_RESOURCES = 10000;

/**
 * @typedef {{ limit: number, windowMs: number }} RateLimitConfig
 * @typedef {import('../store.js').NamedStoreOptions & {
 *   defaultConfig?: RateLimitConfig,
 *   resourceConfigs?: Map<string, RateLimitConfig>,
 * }} RateLimitStoreOptions
 */

/**
 * A limit as the database counts: whole requests, and within its numbers.
 *
 * @param {RateLimitConfig} config
 */
export function quotaOf({ limit }) {
	return Math.max(0, Math.min(Math.ceil(limit), COUNT_ALL));
}

export class LimitStore extends NamedStore {
	#default;
	#configs;

	/**
	 * @param {RateLimitStoreOptions} options
	 * @param {string} prefix
	 */
	constructor({ defaultConfig = { limit: 60, windowMs: 60000 }, resourceConfigs, ...options }, prefix) {
		super(options, prefix);
		this.#configs = new Map(resourceConfigs);
		this.#default = this.#configs.get(DEFAULT) ?? defaultConfig;
	}

	/**
	 * The resource '__default__' stands for all that have no configuration.
	 *
	 * @param {string} resource
	 * @param {RateLimitConfig} config
	 */
	setResourceConfig(resource, config) {
		if (resource === DEFAULT)
			this.#default = config;
		else
			this.#configs.set(resource, config);
	}

	/**
	 * @param {string} resource
	 * @returns {RateLimitConfig}
	 */
	getResourceConfig(resource) {
		return this.#configs.get(resource) ?? this.#default;
	}

	/**
	 * Has the resource a configuration of its own?
	 *
	 * @param {string} resource
	 */
	isConfigured(resource) {
		return this.#configs.has(resource);
	}

	/**
	 * Forgets the requests; cooldowns stay.
	 *
	 * @param {string} resource
	 */
	async reset(resource) {
		await this.idemstore.rateLimitReset(this.nameOf(resource));
	}

	/**
	 * The last one wins, a shorter one too.
	 *
	 * @param {string} origin
	 * @param {number} untilMs in epoch milliseconds
	 */
	async setCooldown(origin, untilMs) {
		const until = new Date(Math.min(untilMs, Date.now() + LONGEST_TTL_MS));
		await this.idemstore.setCooldown(this.nameOf(origin), until);
	}

	/**
	 * @param {string} origin
	 * @returns {Promise<number | undefined>} in epoch milliseconds
	 */
	async getCooldown(origin) {
		return (await this.idemstore.getCooldown(this.nameOf(origin)))?.getTime();
	}

	/** @param {string} origin */
	async clearCooldown(origin) {
		await this.idemstore.clearCooldown(this.nameOf(origin));
	}

	/** All requests and cooldowns of this store. */
	async clear() {
		await this.idemstore.rateLimitClear(this.prefix);
		let cooldowns;
		do {
			cooldowns = await this.idemstore.cooldownList({ prefix: this.prefix, maxRows: 1000 });
			await Promise.all(cooldowns.map(({ origin }) => this.idemstore.clearCooldown(origin)));
		} while (cooldowns.length === 1000);
	}

	async getStats() {
		const resources = await this.listResources(0, MOST_RESOURCES);
		return {
			totalRequests: resources.reduce((sum, { requestCount }) => sum + requestCount, 0),
			uniqueResources: resources.length,
			rateLimitedResources: resources
				.filter(({ requestCount, limit }) => requestCount >= limit)
				.map(({ resource }) => resource),
		};
	}

	/** What is remembered of each resource, in the order of their names. */
	async listResources(offset = 0, limit = 100) {
		const rows = await this.idemstore.rateLimitList({ prefix: this.prefix, maxRows: MOST_RESOURCES });
		const names = rows.map(({ resource }) => this.keyOf(resource)).sort();
		return Promise.all(names.slice(offset, offset + limit).map(async (resource) => ({
			resource,
			requestCount: await this.countRequests(resource),
			...this.getResourceConfig(resource),
		})));
	}

	/**
	 * A limit tells at most that nothing remains; one that none reaches counts.
	 *
	 * @param {string} resource
	 */
	async countRequests(resource) {
		const { windowMs } = this.getResourceConfig(resource);
		const [{ remaining }] = await this.idemstore.rateLimitStatus(this.nameOf(resource), { quota: COUNT_ALL, perMs: windowMs });
		return COUNT_ALL - remaining;
	}

	destroy() {
		return this.close();
	}
}

export class RateLimitStore extends LimitStore {
	/** @param {RateLimitStoreOptions} options */
	constructor(options) {
		super(options, 'http:');
	}

	/** @param {string} resource */
	#limit(resource) {
		const config = this.getResourceConfig(resource);
		return { quota: quotaOf(config), perMs: config.windowMs };
	}

	/**
	 * Checks and records in one step.
	 *
	 * @param {string} resource
	 * @returns {Promise<boolean>}
	 */
	acquire(resource) {
		return this.idemstore.acquire(this.nameOf(resource), this.#limit(resource));
	}

	/**
	 * @param {string} resource
	 * @returns {Promise<boolean>}
	 */
	canProceed(resource) {
		return this.idemstore.canProceed(this.nameOf(resource), this.#limit(resource));
	}

	/** @param {string} resource */
	async record(resource) {
		await this.idemstore.recordRequest(this.nameOf(resource), this.#limit(resource));
	}

	/**
	 * @param {string} resource
	 * @returns {Promise<{ remaining: number, resetTime: Date, limit: number }>}
	 */
	async getStatus(resource) {
		const [{ remaining, resetAt }] = await this.idemstore.rateLimitStatus(this.nameOf(resource), this.#limit(resource));
		return { remaining, resetTime: /** @type {Date} */ (resetAt), limit: this.getResourceConfig(resource).limit };
	}

	/**
	 * @param {string} resource
	 * @returns {Promise<number>} milliseconds, never 0 while a request is denied
	 */
	async getWaitTime(resource) {
		return Math.ceil(await this.idemstore.getWaitTime(this.nameOf(resource), this.#limit(resource)));
	}
}
