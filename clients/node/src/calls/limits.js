// Rate limits and cooldowns.
import { Dedupe } from './dedupe.js';

/** @type {import('../statement.js').Columns} */
const LIMIT = {
	allowed: 'plain', quota: 'count', remaining: 'count', reset_at: 'instant', retry_after_ms: 'plain',
	retry_after_seconds: 'plain', policy: 'plain', reason: 'plain', decided_at: 'instant',
};

export class Limits extends Dedupe {
	/**
	 * @param {string} resource
	 * @param {import('../calls.js').Taking} [taking]
	 * @returns {import('../statement.js').Argument[]}
	 */
	#taking(resource, { cost, priority, quota, perMs, origin } = {}) {
		return [
			['resource', 'text', this.call.name(resource)], ['cost', 'int', cost], ['priority', 'text', priority],
			['quota', 'int', quota], ['per', 'ms', perMs], ['origin', 'text', origin === undefined ? undefined : this.call.name(origin)],
		];
	}

	/**
	 * Take from the resource's limits; false, and nothing is taken, when one has too
	 * little left.
	 *
	 * @param {string} resource
	 * @param {import('../calls.js').Taking} [taking]
	 * @returns {Promise<boolean>}
	 */
	acquire(resource, taking) {
		return this.call.value('acquire', this.#taking(resource, taking));
	}

	/**
	 * acquire() with the whole verdict.
	 *
	 * @param {string} resource
	 * @param {import('../calls.js').Taking} [taking]
	 * @returns {Promise<import('../calls.js').LimitVerdict>}
	 */
	async consume(resource, taking) {
		return (await this.call.rows('consume', this.#taking(resource, taking), LIMIT))[0];
	}

	/**
	 * Take from each resource by itself; one answer each, in their order.
	 *
	 * @param {string[]} resources
	 * @param {import('../calls.js').Many} [many]
	 * @returns {Promise<boolean[]>}
	 */
	acquireMany(resources, many) {
		return this.call.value('acquire_many', this.#many(resources, many), 'bools');
	}

	/**
	 * @param {string[]} resources
	 * @param {import('../calls.js').Many} [many]
	 * @returns {Promise<import('../calls.js').LimitVerdict[]>}
	 */
	consumeMany(resources, many) {
		return this.call.rows('consume_many', this.#many(resources, many), LIMIT);
	}

	/**
	 * @param {string[]} resources
	 * @param {import('../calls.js').Many} [many]
	 * @returns {import('../statement.js').Argument[]}
	 */
	#many(resources, { costs, priorities, quota, perMs, origin } = {}) {
		return [
			['resources', 'texts', this.call.names(resources)], ['costs', 'ints', costs], ['priorities', 'texts', priorities],
			['quota', 'int', quota], ['per', 'ms', perMs], ['origin', 'text', origin === undefined ? undefined : this.call.name(origin)],
		];
	}

	/**
	 * Take from all of the resources, or from none.
	 *
	 * @param {string[]} resources
	 * @param {{ costs?: number[] }} [options]
	 * @returns {Promise<boolean>}
	 */
	acquireAll(resources, { costs } = {}) {
		return this.call.value('acquire_all', [['resources', 'texts', this.call.names(resources)], ['costs', 'ints', costs]]);
	}

	/**
	 * Give back what was taken and not used; true when something was given.
	 *
	 * @param {string} resource
	 * @param {number} cost
	 * @param {Date | string} takenAt the verdict's decidedAt
	 * @param {import('../calls.js').Taking} [taking]
	 * @returns {Promise<boolean>}
	 */
	refund(resource, cost, takenAt, taking) {
		return this.call.value('refund', [...this.#taking(resource, { ...taking, cost, origin: undefined }), ['taken_at', 'instant', takenAt]]);
	}

	/**
	 * Would acquire() be let in? Takes nothing.
	 *
	 * @param {string} resource
	 * @param {import('../calls.js').Taking} [taking]
	 * @returns {Promise<boolean>}
	 */
	canProceed(resource, taking) {
		return this.call.value('can_proceed', this.#taking(resource, { ...taking, origin: undefined }));
	}

	/**
	 * Count a request, even above the limit.
	 *
	 * @param {string} resource
	 * @param {import('../calls.js').Taking} [taking]
	 * @returns {Promise<boolean>}
	 */
	recordRequest(resource, taking) {
		return this.call.value('record_request', this.#taking(resource, { ...taking, origin: undefined }));
	}

	/**
	 * How long until acquire() would be let in.
	 *
	 * @param {string} resource
	 * @param {import('../calls.js').Taking} [taking]
	 * @returns {Promise<number>} in milliseconds, exact
	 */
	getWaitTime(resource, taking) {
		return this.call.value('get_wait_time', this.#taking(resource, { ...taking, origin: undefined }), 'ms');
	}

	/**
	 * A verdict for each policy, the tightest first.
	 *
	 * @param {string} resource
	 * @param {{ quota?: number, perMs?: number }} [options]
	 * @returns {Promise<import('../calls.js').LimitVerdict[]>}
	 */
	rateLimitStatus(resource, { quota, perMs } = {}) {
		return this.call.rows('rate_limit_status', this.#taking(resource, { quota, perMs }), LIMIT);
	}

	/**
	 * Forget what was taken.
	 *
	 * @param {string} resource
	 * @returns {Promise<boolean>}
	 */
	rateLimitReset(resource) {
		return this.call.value('rate_limit_reset', [['resource', 'text', this.call.name(resource)]]);
	}

	/**
	 * rateLimitReset() of all by prefix. Needs the level operator, as the next three do.
	 *
	 * @param {string} prefix
	 * @returns {Promise<number>}
	 */
	rateLimitClear(prefix) {
		return this.call.value('rate_limit_clear', [['prefix', 'text', this.call.name(prefix)]], 'count');
	}

	/**
	 * @param {{ prefix?: string, maxRows?: number }} [options]
	 * @returns {Promise<{ resource: string, policy: string | null, quota: number | null, remaining: number | null, resetAt: Date | undefined }[]>}
	 */
	async rateLimitList({ prefix = '', maxRows } = {}) {
		const rows = await this.call.rows('rate_limit_list', [['prefix', 'text', this.call.name(prefix)], ['max_rows', 'int4', maxRows]],
			{ resource: 'plain', policy: 'plain', quota: 'count', remaining: 'count', reset_at: 'instant' });
		return rows.map((row) => ({ ...row, resource: this.call.bare(row.resource) }));
	}

	/**
	 * @param {string} resource or a pattern that ends in *
	 * @param {number} quota
	 * @param {number} perMs
	 * @param {{ algorithm?: string, burst?: number, policy?: string, enforced?: boolean, timeZone?: string }} [options]
	 * @returns {Promise<boolean>} false: it stood so already
	 */
	setRateLimit(resource, quota, perMs, { algorithm, burst, policy, enforced, timeZone } = {}) {
		return this.call.value('set_rate_limit', [
			['resource', 'text', this.call.name(resource)], ['quota', 'int', quota], ['per', 'ms', perMs], ['algorithm', 'text', algorithm],
			['burst', 'int', burst], ['policy', 'text', policy], ['enforced', 'bool', enforced], ['time_zone', 'text', timeZone],
		]);
	}

	/**
	 * @param {string} resource
	 * @param {{ policy?: string }} [options]
	 * @returns {Promise<boolean>}
	 */
	dropRateLimit(resource, { policy } = {}) {
		return this.call.value('drop_rate_limit', [['resource', 'text', this.call.name(resource)], ['policy', 'text', policy]]);
	}

	/**
	 * @param {string} resource
	 * @param {{
	 *   quota?: number, perMs?: number, monitoringWindowMs?: number, highActivityThreshold?: number,
	 *   moderateActivityThreshold?: number, recalculationIntervalMs?: number, sustainedInactivityThresholdMs?: number,
	 *   backgroundPauseOnIncreasingTrend?: boolean, maxUserScaling?: number, minUserReserved?: number,
	 * }} [adaptive]
	 * @returns {Promise<boolean>}
	 */
	setAdaptiveRateLimit(resource, adaptive = {}) {
		return this.call.value('set_adaptive_rate_limit', [
			['resource', 'text', this.call.name(resource)], ['quota', 'int', adaptive.quota], ['per', 'ms', adaptive.perMs],
			['monitoring_window', 'ms', adaptive.monitoringWindowMs], ['high_activity_threshold', 'int4', adaptive.highActivityThreshold],
			['moderate_activity_threshold', 'int4', adaptive.moderateActivityThreshold],
			['recalculation_interval', 'ms', adaptive.recalculationIntervalMs],
			['sustained_inactivity_threshold', 'ms', adaptive.sustainedInactivityThresholdMs],
			['background_pause_on_increasing_trend', 'bool', adaptive.backgroundPauseOnIncreasingTrend],
			['max_user_scaling', 'float', adaptive.maxUserScaling], ['min_user_reserved', 'int4', adaptive.minUserReserved],
		]);
	}

	/**
	 * @param {string} resource
	 * @returns {Promise<{ userReserved: number, backgroundMax: number, backgroundPaused: boolean, recentUserActivity: number, reason: string }>}
	 */
	async adaptiveRateLimitStatus(resource) {
		return (await this.call.rows('adaptive_rate_limit_status', [['resource', 'text', this.call.name(resource)]],
			{ user_reserved: 'count', background_max: 'count', background_paused: 'plain', recent_user_activity: 'count', reason: 'plain' }))[0];
	}

	/**
	 * Deny every call with this origin until then.
	 *
	 * @param {string} origin
	 * @param {Date} until
	 * @returns {Promise<boolean>}
	 */
	setCooldown(origin, until) {
		return this.call.value('set_cooldown', [['origin', 'text', this.call.name(origin)], ['until', 'instant', until]]);
	}

	/**
	 * @param {string} origin
	 * @returns {Promise<Date | undefined>}
	 */
	getCooldown(origin) {
		return this.call.value('get_cooldown', [['origin', 'text', this.call.name(origin)]], 'instant');
	}

	/**
	 * @param {string} origin
	 * @returns {Promise<boolean>}
	 */
	clearCooldown(origin) {
		return this.call.value('clear_cooldown', [['origin', 'text', this.call.name(origin)]]);
	}

	/**
	 * @param {{ prefix?: string, maxRows?: number }} [options]
	 * @returns {Promise<{ origin: string, until: Date | undefined }[]>}
	 */
	async cooldownList({ prefix = '', maxRows } = {}) {
		const rows = await this.call.rows('cooldown_list', [['prefix', 'text', this.call.name(prefix)], ['max_rows', 'int4', maxRows]],
			{ origin: 'plain', until: 'instant' });
		return rows.map((row) => ({ ...row, origin: this.call.bare(row.origin) }));
	}
}
