// AdaptiveRateLimitStore of http-client-toolkit. Its limits are configured in
// the database, which all processes share: priorities have no limits that come
// with the call. So its role needs the level operator.
import { DEFAULT, LimitStore, quotaOf } from './limits.js';

const ADAPTIVE = {
	monitoringWindowMs: 900000,
	highActivityThreshold: 10,
	moderateActivityThreshold: 3,
	recalculationIntervalMs: 30000,
	sustainedInactivityThresholdMs: 1800000,
	backgroundPauseOnIncreasingTrend: true,
	maxUserScaling: 2,
	minUserReserved: 5,
};

/**
 * @typedef {'user' | 'background'} RequestPriority
 * @typedef {{
 *   userReserved: number,
 *   backgroundMax: number,
 *   backgroundPaused: boolean,
 *   recentUserActivity: number,
 *   reason: string,
 * }} Split
 */

export class AdaptiveRateLimitStore extends LimitStore {
	#adaptive;
	/**
	 * What is set in the database, or is being set, by the name it has there.
	 *
	 * @type {Map<string, Promise<boolean>>}
	 */
	#set = new Map();
	/** @type {Promise<unknown>} */
	#lastSet = Promise.resolve();

	/**
	 * @param {import('./limits.js').RateLimitStoreOptions & { adaptiveConfig?: Partial<typeof ADAPTIVE> }} options
	 */
	constructor({ adaptiveConfig, ...options }) {
		super(options, 'http-adaptive:');
		this.#adaptive = { ...ADAPTIVE, ...adaptiveConfig };
		if (!(this.#adaptive.moderateActivityThreshold < this.#adaptive.highActivityThreshold))
			throw new RangeError('moderateActivityThreshold must be less than highActivityThreshold');
	}

	/**
	 * @param {string} resource
	 * @param {import('./limits.js').RateLimitConfig} config
	 */
	setResourceConfig(resource, config) {
		super.setResourceConfig(resource, config);
		this.#set.delete(resource === DEFAULT ? '*' : resource);
	}

	/**
	 * Checks and records in one step.
	 *
	 * @param {string} resource
	 * @param {RequestPriority} [priority]
	 * @returns {Promise<boolean>}
	 */
	async acquire(resource, priority = 'background') {
		return this.idemstore.acquire(await this.#ready(resource), { priority });
	}

	/**
	 * @param {string} resource
	 * @param {RequestPriority} [priority]
	 * @returns {Promise<boolean>}
	 */
	async canProceed(resource, priority = 'background') {
		return this.idemstore.canProceed(await this.#ready(resource), { priority });
	}

	/**
	 * @param {string} resource
	 * @param {RequestPriority} [priority]
	 */
	async record(resource, priority = 'background') {
		await this.idemstore.recordRequest(await this.#ready(resource), { priority });
	}

	/**
	 * @param {string} resource
	 * @returns {Promise<{ remaining: number, resetTime: Date, limit: number, adaptive: Split }>}
	 */
	async getStatus(resource) {
		const name = await this.#ready(resource);
		const [[{ remaining, resetAt }], adaptive] = await Promise.all([
			this.idemstore.rateLimitStatus(name),
			this.idemstore.adaptiveRateLimitStatus(name),
		]);
		return { remaining, resetTime: /** @type {Date} */ (resetAt), limit: this.getResourceConfig(resource).limit, adaptive };
	}

	/**
	 * @param {string} resource
	 * @param {RequestPriority} [priority]
	 * @returns {Promise<number>} milliseconds, never 0 while a request is denied
	 */
	async getWaitTime(resource, priority = 'background') {
		const waitMs = await this.idemstore.getWaitTime(await this.#ready(resource), { priority });
		// A priority that has no share now has to wait for another split.
		return Math.ceil(waitMs ?? this.#adaptive.recalculationIntervalMs);
	}

	/** @param {string} resource */
	async countRequests(resource) {
		const [{ quota, remaining }] = await this.idemstore.rateLimitStatus(await this.#ready(resource));
		return quota - remaining;
	}

	/**
	 * The resource's name in the database, once its limit is set there.
	 *
	 * @param {string} resource
	 */
	async #ready(resource) {
		const name = this.isConfigured(resource) ? resource : '*';
		if (!this.#set.has(name)) {
			const setting = this.#lastSet.then(() => this.#configure(name, this.getResourceConfig(resource)));
			this.#set.set(name, setting);
			this.#lastSet = setting.catch(() => {
				if (this.#set.get(name) === setting)
					this.#set.delete(name);
			});
		}
		await this.#set.get(name);
		return this.nameOf(resource);
	}

	/**
	 * @param {string} name
	 * @param {import('./limits.js').RateLimitConfig} config
	 */
	#configure(name, config) {
		return this.idemstore.setAdaptiveRateLimit(this.nameOf(name), {
			quota: quotaOf(config),
			perMs: config.windowMs,
			monitoringWindowMs: this.#adaptive.monitoringWindowMs,
			highActivityThreshold: this.#adaptive.highActivityThreshold,
			moderateActivityThreshold: this.#adaptive.moderateActivityThreshold,
			recalculationIntervalMs: this.#adaptive.recalculationIntervalMs,
			sustainedInactivityThresholdMs: this.#adaptive.sustainedInactivityThresholdMs,
			backgroundPauseOnIncreasingTrend: this.#adaptive.backgroundPauseOnIncreasingTrend,
			maxUserScaling: this.#adaptive.maxUserScaling,
			minUserReserved: this.#adaptive.minUserReserved,
		});
	}
}
