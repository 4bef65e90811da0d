// Idempotency records.
import { Callable, sayable } from './call.js';

/** @type {import('../statement.js').Columns} */
const VERDICT = {
	outcome: 'plain', fence: 'opaque', attempt: 'plain', retry_after_ms: 'plain', retry_after_seconds: 'plain',
	conflicting_key: 'plain', response_status: 'plain', response_headers: 'json', response_body: 'bytes',
	error: 'json', recovery_point: 'plain', checkpoint: 'json',
};

/** @type {import('../statement.js').Columns} */
const RECORD = {
	key: 'plain', scope: 'plain', fingerprint: 'plain', status: 'plain', fence: 'opaque', attempt: 'plain', owner: 'plain',
	lease_expires_at: 'instant', expires_at: 'instant', created_at: 'instant', completed_at: 'instant',
	response_status: 'plain', response_headers: 'json', response_body: 'bytes', error: 'json', context: 'json',
	recovery_point: 'plain', checkpoint: 'json',
};

export class Records extends Callable {
	/**
	 * Claim the key, or say why not; it does not wait.
	 *
	 * @param {string} key
	 * @param {import('../calls.js').StartOptions} [options]
	 * @returns {Promise<import('../calls.js').Verdict>}
	 */
	async start(key, { fingerprint, ttlMs, leaseMs, owner, takeover, uniqueFingerprint, context, scope } = {}) {
		const [verdict] = await this.call.rows('start_processing', [
			['key', 'text', this.call.name(key)], ['fingerprint', 'text', fingerprint], ['ttl', 'ms', ttlMs],
			['scope', 'text', this.call.scoped(scope)], ['lease', 'ms', leaseMs], ['owner', 'text', owner],
			['takeover', 'bool', takeover], ['unique_fingerprint', 'bool', uniqueFingerprint], ['context', 'json', context],
		], VERDICT);
		if (verdict.conflictingKey !== null)
			verdict.conflictingKey = this.call.bare(verdict.conflictingKey);
		return verdict;
	}

	/**
	 * Store the response and make the record final; false when it stood so already.
	 *
	 * @param {string} key
	 * @param {import('../calls.js').Completion} [completion]
	 * @returns {Promise<boolean>}
	 */
	complete(key, { responseStatus, responseHeaders, responseText, responseBody, fence, scope, ttlMs } = {}) {
		return this.call.value('complete', [
			['key', 'text', this.call.name(key)], ['response_status', 'int4', responseStatus],
			['response_headers', 'json', responseHeaders], ['response_body', 'bytes', responseText ?? responseBody],
			['fence', 'int', fence], ['scope', 'text', this.call.scoped(scope)], ['ttl', 'ms', ttlMs],
		]);
	}

	/**
	 * End the attempt: for good, it is replayed as failed; if retryable, the next
	 * start owns the key.
	 *
	 * @param {string} key
	 * @param {import('../calls.js').Completion & { error?: any, retryable?: boolean }} [failure]
	 * @returns {Promise<boolean>}
	 */
	fail(key, { error, retryable, responseStatus, responseHeaders, responseText, responseBody, fence, scope, ttlMs } = {}) {
		return this.call.value('fail', [
			['key', 'text', this.call.name(key)], ['error', 'json', error], ['retryable', 'bool', retryable],
			['response_status', 'int4', responseStatus], ['response_headers', 'json', responseHeaders],
			['response_body', 'bytes', responseText ?? responseBody],
			['fence', 'int', fence], ['scope', 'text', this.call.scoped(scope)], ['ttl', 'ms', ttlMs],
		]);
	}

	/**
	 * Give the claim back as if it never was; false when there is none.
	 *
	 * @param {string} key
	 * @param {import('../calls.js').Fenced} [options]
	 * @returns {Promise<boolean>}
	 */
	release(key, { fence, scope } = {}) {
		return this.call.value('release', [['key', 'text', this.call.name(key)], ['fence', 'int', fence], ['scope', 'text', this.call.scoped(scope)]]);
	}

	/**
	 * Hold the claim for at least another lease from now; until when.
	 *
	 * @param {string} key
	 * @param {string} fence
	 * @param {{ leaseMs?: number, scope?: string }} [options]
	 * @returns {Promise<Date>}
	 */
	extendLease(key, fence, { leaseMs, scope } = {}) {
		return this.call.value('extend_lease', [
			['key', 'text', this.call.name(key)], ['fence', 'int', fence], ['lease', 'ms', leaseMs], ['scope', 'text', this.call.scoped(scope)],
		], 'instant');
	}

	/**
	 * Note how far the work has come, for the next attempt should this one die.
	 *
	 * @param {string} key
	 * @param {string} recoveryPoint
	 * @param {{ state?: any, fence?: string, scope?: string }} [options]
	 * @returns {Promise<boolean>}
	 */
	checkpoint(key, recoveryPoint, { state, fence, scope } = {}) {
		return this.call.value('checkpoint', [
			['key', 'text', this.call.name(key)], ['recovery_point', 'text', recoveryPoint], ['state', 'json', state],
			['fence', 'int', fence], ['scope', 'text', this.call.scoped(scope)],
		]);
	}

	/**
	 * Make sure, to the end of the transaction, that nobody takes the claim over.
	 *
	 * @param {string} key
	 * @param {string} fence
	 * @param {import('../calls.js').Scoped} [options]
	 * @returns {Promise<boolean>}
	 */
	assertOwner(key, fence, { scope } = {}) {
		return this.call.value('assert_owner', [['key', 'text', this.call.name(key)], ['fence', 'int', fence], ['scope', 'text', this.call.scoped(scope)]]);
	}

	/**
	 * @param {string} key
	 * @param {import('../calls.js').Scoped} [options]
	 * @returns {Promise<import('../calls.js').IdempotencyRecord | null>}
	 */
	async get(key, { scope } = {}) {
		return this.#record(await this.call.rows('get', [['key', 'text', this.call.name(key)], ['scope', 'text', this.call.scoped(scope)]], RECORD));
	}

	/**
	 * The record once it is final, null where there is none. Throws WaitTimeoutError.
	 *
	 * @param {string} key
	 * @param {{ timeoutMs?: number, scope?: string, signal?: AbortSignal }} [options]
	 * @returns {Promise<import('../calls.js').IdempotencyRecord | null>}
	 */
	async wait(key, { timeoutMs, scope } = {}) {
		return this.#record(await this.call.rows('wait', [
			['key', 'text', this.call.name(key)], ['timeout', 'ms', timeoutMs], ['scope', 'text', this.call.scoped(scope)],
		], RECORD));
	}

	/**
	 * The records of the key (matched key) and of the fingerprint.
	 *
	 * @param {string} key
	 * @param {{ fingerprint?: string, scope?: string }} [options]
	 * @returns {Promise<(import('../calls.js').IdempotencyRecord & { matched: 'key' | 'fingerprint' })[]>}
	 */
	async lookup(key, { fingerprint, scope } = {}) {
		const rows = await this.call.rows('lookup', [
			['key', 'text', this.call.name(key)], ['fingerprint', 'text', fingerprint], ['scope', 'text', this.call.scoped(scope)],
		], { matched: 'plain', ...RECORD });
		return rows.map((row) => ({ ...row, key: this.call.bare(row.key) }));
	}

	/** @param {any[]} rows */
	#record([row]) {
		return row.key === null ? null : { ...row, key: this.call.bare(row.key) };
	}

	/**
	 * Make a record in progress; false when there is one.
	 *
	 * @param {string} key
	 * @param {{ context?: any, ttlMs?: number, scope?: string }} [options]
	 * @returns {Promise<boolean>}
	 */
	initiate(key, { context, ttlMs, scope } = {}) {
		return this.call.value('initiate', [
			['key', 'text', this.call.name(key)], ['context', 'json', context], ['ttl', 'ms', ttlMs], ['scope', 'text', this.call.scoped(scope)],
		]);
	}

	/**
	 * Make the record complete, with the result as its body.
	 *
	 * @param {string} key
	 * @param {any} result
	 * @param {import('../calls.js').Fenced} [options]
	 * @returns {Promise<boolean>} false: it stood so already
	 */
	success(key, result, { fence, scope } = {}) {
		return this.call.value('success', [
			['key', 'text', this.call.name(key)], ['result', 'json', sayable(result)], ['fence', 'int', fence], ['scope', 'text', this.call.scoped(scope)],
		]);
	}

	/**
	 * Store a value unless the key has a live record; true if it was stored.
	 *
	 * @param {string} key
	 * @param {import('../calls.js').Body} value
	 * @param {{ ttlMs?: number, scope?: string }} [options]
	 * @returns {Promise<boolean>}
	 */
	setNx(key, value, { ttlMs, scope } = {}) {
		return this.call.value('set_nx', [['key', 'text', this.call.name(key)], ['value', 'bytes', value], ['ttl', 'ms', ttlMs], ['scope', 'text', this.call.scoped(scope)]]);
	}

	/**
	 * Store a value, whatever stood there; true when nothing did.
	 *
	 * @param {string} key
	 * @param {import('../calls.js').Body} value
	 * @param {{ ttlMs?: number, scope?: string }} [options]
	 * @returns {Promise<boolean>}
	 */
	setValue(key, value, { ttlMs, scope } = {}) {
		return this.call.value('set_value', [['key', 'text', this.call.name(key)], ['value', 'bytes', value], ['ttl', 'ms', ttlMs], ['scope', 'text', this.call.scoped(scope)]]);
	}

	/**
	 * @param {string} key
	 * @param {import('../calls.js').Scoped} [options]
	 * @returns {Promise<Buffer | undefined>}
	 */
	getValue(key, { scope } = {}) {
		return this.call.value('get_value', [['key', 'text', this.call.name(key)], ['scope', 'text', this.call.scoped(scope)]], 'bytes');
	}

	/**
	 * The value as text.
	 *
	 * @param {string} key
	 * @param {import('../calls.js').Scoped} [options]
	 * @returns {Promise<string | undefined>}
	 */
	async getValueText(key, { scope } = {}) {
		return await this.call.value('get_value_text', [['key', 'text', this.call.name(key)], ['scope', 'text', this.call.scoped(scope)]]) ?? undefined;
	}

	/**
	 * Remove the record, in whatever state; true when there was one.
	 *
	 * @param {string} key
	 * @param {import('../calls.js').Scoped} [options]
	 * @returns {Promise<boolean>}
	 */
	forget(key, { scope } = {}) {
		return this.call.value('forget', [['key', 'text', this.call.name(key)], ['scope', 'text', this.call.scoped(scope)]]);
	}

	/**
	 * Remove all records of the scope. Needs the level operator.
	 *
	 * @param {string} scope
	 * @returns {Promise<number>} how many there were
	 */
	forgetScope(scope) {
		return this.call.value('forget_scope', [['scope', 'text', scope]], 'count');
	}

	/**
	 * A hash that ignores the order of keys and how numbers are written.
	 *
	 * @param {any} payload
	 * @param {{ exclude?: string[] }} [options] names at the top level to be left out
	 * @returns {Promise<string>}
	 */
	fingerprint(payload, { exclude } = {}) {
		return this.call.value('fingerprint', [['payload', 'json', payload], ['exclude', 'texts', exclude]]);
	}
}
