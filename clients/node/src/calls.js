// Every function of the extension that a program calls, as a method. Durations are
// milliseconds under names that end in Ms; what is undefined is left to the
// function's own default. Results are flat objects; a miss is undefined.
import { named } from './errors.js';
import { read, statement } from './statement.js';

/**
 * @typedef {string | Buffer | Uint8Array} Body
 * @typedef {{ [name: string]: any } | [string, string][]} Headers
 * @typedef {{ scope?: string }} Scoped
 * @typedef {{ signal?: AbortSignal }} Abortable
 * @typedef {{ fence?: string, scope?: string }} Fenced fence: as start gave it
 *
 * @typedef {{
 *   fingerprint?: string, ttlMs?: number, leaseMs?: number, waitMs?: number, owner?: string,
 *   takeover?: boolean, uniqueFingerprint?: boolean, context?: any, scope?: string, signal?: AbortSignal,
 * }} StartOptions
 *
 * @typedef {'started' | 'replay' | 'failed' | 'in_progress' | 'mismatch' | 'duplicate' | 'abandoned'} Outcome
 *
 * @typedef {{
 *   outcome: Outcome, fence: string, attempt: number, retryAfterMs: number | null, retryAfterSeconds: number | null,
 *   conflictingKey: string | null, responseStatus: number | null, responseHeaders: any, responseBody: Buffer | undefined,
 *   error: any, recoveryPoint: string | null, checkpoint: any,
 * }} Verdict
 *
 * @typedef {{
 *   responseStatus?: number, responseHeaders?: Headers, responseText?: string, responseBody?: Body,
 *   fence?: string, scope?: string, ttlMs?: number,
 * }} Completion
 *
 * @typedef {{
 *   key: string, scope: string, fingerprint: string | null, status: 'processing' | 'abandoned' | 'complete' | 'failed',
 *   fence: string, attempt: number, owner: string | null, leaseExpiresAt: Date | undefined, expiresAt: Date | undefined,
 *   createdAt: Date | undefined, completedAt: Date | undefined, responseStatus: number | null, responseHeaders: any,
 *   responseBody: Buffer | undefined, error: any, context: any, recoveryPoint: string | null, checkpoint: any,
 * }} IdempotencyRecord
 *
 * @typedef {{ ttlMs?: number, tags?: string[], fence?: string }} Setting ttlMs: 0 never expires, below 0 is over already
 *
 * @typedef {{ cost?: number, priority?: 'user' | 'background', quota?: number, perMs?: number, origin?: string }} Taking
 *
 * @typedef {{
 *   allowed: boolean, quota: number, remaining: number, resetAt: Date | undefined, retryAfterMs: number | null,
 *   retryAfterSeconds: number | null, policy: string | null, reason: string, decidedAt: Date | undefined,
 * }} LimitVerdict
 *
 * @typedef {{ prefix?: string, maxRows?: number, after?: string }} Page
 */

/** @type {import('./statement.js').Columns} */
const VERDICT = {
	outcome: 'plain', fence: 'opaque', attempt: 'plain', retry_after_ms: 'plain', retry_after_seconds: 'plain',
	conflicting_key: 'plain', response_status: 'plain', response_headers: 'json', response_body: 'bytes',
	error: 'json', recovery_point: 'plain', checkpoint: 'json',
};

/** @type {import('./statement.js').Columns} */
const RECORD = {
	key: 'plain', scope: 'plain', fingerprint: 'plain', status: 'plain', fence: 'opaque', attempt: 'plain', owner: 'plain',
	lease_expires_at: 'instant', expires_at: 'instant', created_at: 'instant', completed_at: 'instant',
	response_status: 'plain', response_headers: 'json', response_body: 'bytes', error: 'json', context: 'json',
	recovery_point: 'plain', checkpoint: 'json',
};

/** @type {import('./statement.js').Columns} */
const LIMIT = {
	allowed: 'plain', quota: 'count', remaining: 'count', reset_at: 'instant', retry_after_ms: 'plain',
	retry_after_seconds: 'plain', policy: 'plain', reason: 'plain', decided_at: 'instant',
};

export class Calls {
	#query;
	#prefix;
	#scope;

	/**
	 * @param {import('./executor.js').Query} query
	 * @param {string} [prefix] stands before keys, hashes, tags, resources and origins
	 * @param {string} [scope] of the records, where a call names none
	 */
	constructor(query, prefix = '', scope) {
		this.#query = query;
		this.#prefix = prefix;
		this.#scope = scope;
	}

	/**
	 * The same calls by another query, as in a transaction.
	 *
	 * @param {import('./executor.js').Query} query
	 */
	by(query) {
		return new Calls(query, this.#prefix, this.#scope);
	}

	/**
	 * @param {string} name
	 * @param {import('./statement.js').Argument[]} given
	 * @param {import('./statement.js').Columns} columns
	 * @returns {Promise<any[]>}
	 */
	async #rows(name, given, columns) {
		const { text, values } = statement(name, given, columns);
		try {
			return read(await this.#query(text, values), columns);
		} catch (error) {
			throw named(error);
		}
	}

	/**
	 * The one value of a function that returns one.
	 *
	 * @param {string} name
	 * @param {import('./statement.js').Argument[]} given
	 * @param {keyof typeof import('./statement.js').READ} [kind]
	 */
	async #value(name, given, kind = 'plain') {
		return Object.values((await this.#rows(name, given, { [name]: kind }))[0])[0];
	}

	/** @param {string} name */
	#name(name) {
		return this.#prefix + name;
	}

	/** @param {string[] | undefined} names */
	#names(names) {
		return names?.map((name) => this.#name(name));
	}

	/** @param {string} name */
	#bare(name) {
		return name.slice(this.#prefix.length);
	}

	/** @param {string | undefined} scope */
	#scoped(scope) {
		return scope ?? this.#scope;
	}

	/**
	 * Claim the key, or say why not; it does not wait.
	 *
	 * @param {string} key
	 * @param {StartOptions} [options]
	 * @returns {Promise<Verdict>}
	 */
	async start(key, { fingerprint, ttlMs, leaseMs, owner, takeover, uniqueFingerprint, context, scope } = {}) {
		const [verdict] = await this.#rows('start_processing', [
			['key', 'text', this.#name(key)], ['fingerprint', 'text', fingerprint], ['ttl', 'ms', ttlMs],
			['scope', 'text', this.#scoped(scope)], ['lease', 'ms', leaseMs], ['owner', 'text', owner],
			['takeover', 'bool', takeover], ['unique_fingerprint', 'bool', uniqueFingerprint], ['context', 'json', context],
		], VERDICT);
		if (verdict.conflictingKey !== null)
			verdict.conflictingKey = this.#bare(verdict.conflictingKey);
		return verdict;
	}

	/**
	 * Store the response and make the record final; false when it stood so already.
	 *
	 * @param {string} key
	 * @param {Completion} [completion]
	 * @returns {Promise<boolean>}
	 */
	complete(key, { responseStatus, responseHeaders, responseText, responseBody, fence, scope, ttlMs } = {}) {
		return this.#value('complete', [
			['key', 'text', this.#name(key)], ['response_status', 'int4', responseStatus],
			['response_headers', 'json', responseHeaders], ['response_body', 'bytes', responseText ?? responseBody],
			['fence', 'int', fence], ['scope', 'text', this.#scoped(scope)], ['ttl', 'ms', ttlMs],
		]);
	}

	/**
	 * End the attempt: for good, it is replayed as failed; if retryable, the next
	 * start owns the key.
	 *
	 * @param {string} key
	 * @param {Completion & { error?: any, retryable?: boolean }} [failure]
	 * @returns {Promise<boolean>}
	 */
	fail(key, { error, retryable, responseStatus, responseHeaders, responseText, responseBody, fence, scope, ttlMs } = {}) {
		return this.#value('fail', [
			['key', 'text', this.#name(key)], ['error', 'json', error], ['retryable', 'bool', retryable],
			['response_status', 'int4', responseStatus], ['response_headers', 'json', responseHeaders],
			['response_body', 'bytes', responseText ?? responseBody],
			['fence', 'int', fence], ['scope', 'text', this.#scoped(scope)], ['ttl', 'ms', ttlMs],
		]);
	}

	/**
	 * Give the claim back as if it never was; false when there is none.
	 *
	 * @param {string} key
	 * @param {Fenced} [options]
	 * @returns {Promise<boolean>}
	 */
	release(key, { fence, scope } = {}) {
		return this.#value('release', [['key', 'text', this.#name(key)], ['fence', 'int', fence], ['scope', 'text', this.#scoped(scope)]]);
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
		return this.#value('extend_lease', [
			['key', 'text', this.#name(key)], ['fence', 'int', fence], ['lease', 'ms', leaseMs], ['scope', 'text', this.#scoped(scope)],
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
		return this.#value('checkpoint', [
			['key', 'text', this.#name(key)], ['recovery_point', 'text', recoveryPoint], ['state', 'json', state],
			['fence', 'int', fence], ['scope', 'text', this.#scoped(scope)],
		]);
	}

	/**
	 * Make sure, to the end of the transaction, that nobody takes the claim over.
	 *
	 * @param {string} key
	 * @param {string} fence
	 * @param {Scoped} [options]
	 * @returns {Promise<boolean>}
	 */
	assertOwner(key, fence, { scope } = {}) {
		return this.#value('assert_owner', [['key', 'text', this.#name(key)], ['fence', 'int', fence], ['scope', 'text', this.#scoped(scope)]]);
	}

	/**
	 * @param {string} key
	 * @param {Scoped} [options]
	 * @returns {Promise<IdempotencyRecord | null>}
	 */
	async get(key, { scope } = {}) {
		return this.#record(await this.#rows('get', [['key', 'text', this.#name(key)], ['scope', 'text', this.#scoped(scope)]], RECORD));
	}

	/**
	 * The record once it is final, null where there is none. Throws WaitTimeoutError.
	 *
	 * @param {string} key
	 * @param {{ timeoutMs?: number, scope?: string, signal?: AbortSignal }} [options]
	 * @returns {Promise<IdempotencyRecord | null>}
	 */
	async wait(key, { timeoutMs, scope } = {}) {
		return this.#record(await this.#rows('wait', [
			['key', 'text', this.#name(key)], ['timeout', 'ms', timeoutMs], ['scope', 'text', this.#scoped(scope)],
		], RECORD));
	}

	/**
	 * The records of the key (matched key) and of the fingerprint.
	 *
	 * @param {string} key
	 * @param {{ fingerprint?: string, scope?: string }} [options]
	 * @returns {Promise<(IdempotencyRecord & { matched: 'key' | 'fingerprint' })[]>}
	 */
	async lookup(key, { fingerprint, scope } = {}) {
		const rows = await this.#rows('lookup', [
			['key', 'text', this.#name(key)], ['fingerprint', 'text', fingerprint], ['scope', 'text', this.#scoped(scope)],
		], { matched: 'plain', ...RECORD });
		return rows.map((row) => ({ ...row, key: this.#bare(row.key) }));
	}

	/** @param {any[]} rows */
	#record([row]) {
		return row.key === null ? null : { ...row, key: this.#bare(row.key) };
	}

	/**
	 * Make a record in progress; false when there is one.
	 *
	 * @param {string} key
	 * @param {{ context?: any, ttlMs?: number, scope?: string }} [options]
	 * @returns {Promise<boolean>}
	 */
	initiate(key, { context, ttlMs, scope } = {}) {
		return this.#value('initiate', [
			['key', 'text', this.#name(key)], ['context', 'json', context], ['ttl', 'ms', ttlMs], ['scope', 'text', this.#scoped(scope)],
		]);
	}

	/**
	 * Store a value unless the key has a live record; true if it was stored.
	 *
	 * @param {string} key
	 * @param {Body} value
	 * @param {{ ttlMs?: number, scope?: string }} [options]
	 * @returns {Promise<boolean>}
	 */
	setNx(key, value, { ttlMs, scope } = {}) {
		return this.#value('set_nx', [['key', 'text', this.#name(key)], ['value', 'bytes', value], ['ttl', 'ms', ttlMs], ['scope', 'text', this.#scoped(scope)]]);
	}

	/**
	 * Store a value, whatever stood there; true when nothing did.
	 *
	 * @param {string} key
	 * @param {Body} value
	 * @param {{ ttlMs?: number, scope?: string }} [options]
	 * @returns {Promise<boolean>}
	 */
	setValue(key, value, { ttlMs, scope } = {}) {
		return this.#value('set_value', [['key', 'text', this.#name(key)], ['value', 'bytes', value], ['ttl', 'ms', ttlMs], ['scope', 'text', this.#scoped(scope)]]);
	}

	/**
	 * @param {string} key
	 * @param {Scoped} [options]
	 * @returns {Promise<Buffer | undefined>}
	 */
	getValue(key, { scope } = {}) {
		return this.#value('get_value', [['key', 'text', this.#name(key)], ['scope', 'text', this.#scoped(scope)]], 'bytes');
	}

	/**
	 * Remove the record, in whatever state; true when there was one.
	 *
	 * @param {string} key
	 * @param {Scoped} [options]
	 * @returns {Promise<boolean>}
	 */
	forget(key, { scope } = {}) {
		return this.#value('forget', [['key', 'text', this.#name(key)], ['scope', 'text', this.#scoped(scope)]]);
	}

	/**
	 * A hash that ignores the order of keys and how numbers are written.
	 *
	 * @param {any} payload
	 * @param {{ exclude?: string[] }} [options] names at the top level to be left out
	 * @returns {Promise<string>}
	 */
	fingerprint(payload, { exclude } = {}) {
		return this.#value('fingerprint', [['payload', 'json', payload], ['exclude', 'texts', exclude]]);
	}

	/**
	 * The values of the keys, in their order; both undefined for a miss.
	 *
	 * @param {string[]} keys
	 * @returns {Promise<{ key: string, value: any, valueBytes: Buffer | undefined }[]>}
	 */
	async cacheGetMany(keys) {
		const rows = await this.#rows('cache_get_many', [['keys', 'texts', this.#names(keys)]],
			{ key: 'plain', value: 'json', value_bytes: 'bytes' });
		return rows.map((row) => ({ ...row, key: this.#bare(row.key) }));
	}

	/**
	 * Store something that JSON can say. False: it could be older than an
	 * invalidation, and nothing is stored.
	 *
	 * @param {string} key
	 * @param {any} value
	 * @param {Setting} [setting] tags undefined: those of a live entry stay
	 * @returns {Promise<boolean>}
	 */
	async cacheSet(key, value, { ttlMs, tags, fence } = {}) {
		return this.#value('cache_set', [
			['key', 'text', this.#name(key)], ['value', 'json', isSayable(value)], ['ttl', 'ms', ttlMs],
			['tags', 'texts', this.#names(tags)], ['fence', 'int', fence],
		]);
	}

	/**
	 * @param {string} key
	 * @param {Body} value
	 * @param {Setting} [setting]
	 * @returns {Promise<boolean>}
	 */
	cacheSetBytes(key, value, { ttlMs, tags, fence } = {}) {
		return this.#value('cache_set_bytes', [
			['key', 'text', this.#name(key)], ['value', 'bytes', value], ['ttl', 'ms', ttlMs],
			['tags', 'texts', this.#names(tags)], ['fence', 'int', fence],
		]);
	}

	/**
	 * cacheSet() where there is no live entry; true for one of all who try.
	 *
	 * @param {string} key
	 * @param {any} value
	 * @param {{ ttlMs?: number, tags?: string[] }} [setting]
	 * @returns {Promise<boolean>}
	 */
	async cacheAdd(key, value, { ttlMs, tags } = {}) {
		return this.#value('cache_add', [
			['key', 'text', this.#name(key)], ['value', 'json', isSayable(value)], ['ttl', 'ms', ttlMs], ['tags', 'texts', this.#names(tags)],
		]);
	}

	/**
	 * @param {string} key
	 * @returns {Promise<boolean>} was there one?
	 */
	cacheDelete(key) {
		return this.#value('cache_delete', [['key', 'text', this.#name(key)]]);
	}

	/**
	 * @param {string[]} keys
	 * @returns {Promise<number>} how many there were
	 */
	cacheDeleteMany(keys) {
		return this.#value('cache_delete_many', [['keys', 'texts', this.#names(keys)]], 'count');
	}

	/**
	 * Remove all whose keys begin with the prefix, literally.
	 *
	 * @param {{ prefix?: string }} [options]
	 * @returns {Promise<number>} how many there were
	 */
	cacheClear({ prefix = '' } = {}) {
		return this.#value('cache_clear', [['prefix', 'text', this.#name(prefix)]], 'count');
	}

	/**
	 * @param {string} key
	 * @param {number} ttlMs
	 * @returns {Promise<boolean>}
	 */
	cacheTouch(key, ttlMs) {
		return this.#value('cache_touch', [['key', 'text', this.#name(key)], ['ttl', 'ms', ttlMs]]);
	}

	/**
	 * How long the entry still lives: 0 for ever, undefined where there is none.
	 *
	 * @param {string} key
	 * @returns {Promise<number | undefined>}
	 */
	async cacheTtl(key) {
		return await this.#value('cache_ttl', [['key', 'text', this.#name(key)]], 'ms') ?? undefined;
	}

	/**
	 * Add to the integer in the entry, or to 0; the sum.
	 *
	 * @param {string} key
	 * @param {{ delta?: number, ttlMs?: number }} [options] ttlMs: of a new entry
	 * @returns {Promise<number>}
	 */
	cacheIncrement(key, { delta, ttlMs } = {}) {
		return this.#value('cache_increment', [['key', 'text', this.#name(key)], ['delta', 'int', delta], ['ttl', 'ms', ttlMs]], 'count');
	}

	/**
	 * Remove all entries that have one of the tags.
	 *
	 * @param {string[]} tags
	 * @returns {Promise<number>} how many there were
	 */
	invalidateByTags(tags) {
		return this.#value('invalidate_by_tags', [['tags', 'texts', this.#names(tags)]], 'count');
	}

	/** @param {string} tag */
	invalidateByTag(tag) {
		return this.invalidateByTags([tag]);
	}

	/**
	 * Get a value; if there is none, one caller is told to compute it, with a fence.
	 *
	 * @param {string} key
	 * @param {{ leaseMs?: number, staleMs?: number, waitMs?: number, signal?: AbortSignal }} [options]
	 * @returns {Promise<{ outcome: 'hit' | 'stale' | 'compute' | 'in_progress', value: any, valueBytes: Buffer | undefined, fence: string, expiresAt: Date | undefined }>}
	 */
	async cacheFetch(key, { leaseMs, staleMs, waitMs } = {}) {
		return (await this.#rows('cache_fetch', [
			['key', 'text', this.#name(key)], ['lease', 'ms', leaseMs], ['stale', 'ms', staleMs], ['wait', 'ms', waitMs],
		], { outcome: 'plain', value: 'json', value_bytes: 'bytes', fence: 'opaque', expires_at: 'instant' }))[0];
	}

	/**
	 * The live entries by prefix, in the order of their keys; for the next page pass
	 * the last key as after.
	 *
	 * @param {Page} [page]
	 * @returns {Promise<{ key: string, expiresAt: Date | undefined, tags: string[] | undefined, size: number }[]>}
	 */
	async cacheList({ prefix = '', maxRows, after } = {}) {
		const rows = await this.#rows('cache_list', this.#page(prefix, maxRows, after),
			{ key: 'plain', expires_at: 'instant', tags: 'texts', size: 'count' });
		return rows.map((row) => ({ ...row, key: this.#bare(row.key), tags: row.tags?.map((/** @type {string} */ tag) => this.#bare(tag)) }));
	}

	/**
	 * @param {string} prefix
	 * @param {number | undefined} maxRows
	 * @param {string | undefined} after
	 * @returns {import('./statement.js').Argument[]}
	 */
	#page(prefix, maxRows, after) {
		return [
			['prefix', 'text', this.#name(prefix)], ['max_rows', 'int4', maxRows],
			['after', 'text', after === undefined || after === '' ? undefined : this.#name(after)],
		];
	}

	/**
	 * Become the owner of the work, or join who is.
	 *
	 * @param {string} hash
	 * @param {{ timeoutMs?: number }} [options] from when on the owner is replaced
	 * @returns {Promise<{ jobId: string, isOwner: boolean }>}
	 */
	async dedupeRegisterOrJoin(hash, { timeoutMs } = {}) {
		return (await this.#rows('dedupe_register_or_join', [['hash', 'text', this.#name(hash)], ['timeout', 'ms', timeoutMs]],
			{ job_id: 'opaque', is_owner: 'plain' }))[0];
	}

	/**
	 * @param {string} hash
	 * @param {any} value
	 * @param {{ jobId?: string }} [options]
	 * @returns {Promise<boolean>} false: there is no such job, or it has ended
	 */
	async dedupeComplete(hash, value, { jobId } = {}) {
		return this.#value('dedupe_complete', [['hash', 'text', this.#name(hash)], ['value', 'json', isSayable(value)], ['job_id', 'uuid', jobId]]);
	}

	/**
	 * @param {string} hash
	 * @param {{ error?: any, jobId?: string }} [options]
	 * @returns {Promise<boolean>}
	 */
	dedupeFail(hash, { error, jobId } = {}) {
		return this.#value('dedupe_fail', [['hash', 'text', this.#name(hash)], ['error', 'json', error], ['job_id', 'uuid', jobId]]);
	}

	/**
	 * Wait for the end of the job.
	 *
	 * @param {string} hash
	 * @param {{ timeoutMs?: number, jobId?: string, signal?: AbortSignal }} [options]
	 * @returns {Promise<{ outcome: 'completed' | 'failed' | 'timeout' | 'absent', value: any, error: any }>}
	 */
	async dedupeWaitFor(hash, { timeoutMs, jobId } = {}) {
		return (await this.#rows('dedupe_wait_for', [
			['hash', 'text', this.#name(hash)], ['timeout', 'ms', timeoutMs], ['job_id', 'uuid', jobId],
		], { outcome: 'plain', value: 'json', error: 'json' }))[0];
	}

	/**
	 * @param {string} hash
	 * @returns {Promise<boolean>}
	 */
	dedupeIsInProgress(hash) {
		return this.#value('dedupe_is_in_progress', [['hash', 'text', this.#name(hash)]]);
	}

	/**
	 * @param {{ prefix?: string }} [options]
	 * @returns {Promise<number>} how many there were
	 */
	dedupeClear({ prefix = '' } = {}) {
		return this.#value('dedupe_clear', [['prefix', 'text', this.#name(prefix)]], 'count');
	}

	/**
	 * The live jobs by prefix, in the order of their hashes.
	 *
	 * @param {Page} [page]
	 * @returns {Promise<{ hash: string, jobId: string, status: 'pending' | 'completed' | 'failed', expiresAt: Date | undefined }[]>}
	 */
	async dedupeList({ prefix = '', maxRows, after } = {}) {
		const rows = await this.#rows('dedupe_list', this.#page(prefix, maxRows, after),
			{ hash: 'plain', job_id: 'opaque', status: 'plain', expires_at: 'instant' });
		return rows.map((row) => ({ ...row, hash: this.#bare(row.hash) }));
	}

	/**
	 * @param {string} resource
	 * @param {Taking} [taking]
	 * @returns {import('./statement.js').Argument[]}
	 */
	#taking(resource, { cost, priority, quota, perMs, origin } = {}) {
		return [
			['resource', 'text', this.#name(resource)], ['cost', 'int', cost], ['priority', 'text', priority],
			['quota', 'int', quota], ['per', 'ms', perMs], ['origin', 'text', origin === undefined ? undefined : this.#name(origin)],
		];
	}

	/**
	 * Take from each resource by itself; one answer each, in their order.
	 *
	 * @param {string[]} resources
	 * @param {Many} [many]
	 * @returns {Promise<boolean[]>}
	 *
	 * @typedef {{ costs?: number[], priorities?: (string | undefined)[], quota?: number, perMs?: number, origin?: string }} Many
	 */
	acquireMany(resources, many) {
		return this.#value('acquire_many', this.#many(resources, many), 'bools');
	}

	/**
	 * @param {string[]} resources
	 * @param {Many} [many]
	 * @returns {Promise<LimitVerdict[]>}
	 */
	consumeMany(resources, many) {
		return this.#rows('consume_many', this.#many(resources, many), LIMIT);
	}

	/**
	 * @param {string[]} resources
	 * @param {Many} [many]
	 * @returns {import('./statement.js').Argument[]}
	 */
	#many(resources, { costs, priorities, quota, perMs, origin } = {}) {
		return [
			['resources', 'texts', this.#names(resources)], ['costs', 'ints', costs], ['priorities', 'texts', priorities],
			['quota', 'int', quota], ['per', 'ms', perMs], ['origin', 'text', origin === undefined ? undefined : this.#name(origin)],
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
		return this.#value('acquire_all', [['resources', 'texts', this.#names(resources)], ['costs', 'ints', costs]]);
	}

	/**
	 * Give back what was taken and not used; true when something was given.
	 *
	 * @param {string} resource
	 * @param {number} cost
	 * @param {Date | string} takenAt the verdict's decidedAt
	 * @param {Taking} [taking]
	 * @returns {Promise<boolean>}
	 */
	refund(resource, cost, takenAt, taking) {
		return this.#value('refund', [...this.#taking(resource, { ...taking, cost, origin: undefined }), ['taken_at', 'instant', takenAt]]);
	}

	/**
	 * Would acquire() be let in? Takes nothing.
	 *
	 * @param {string} resource
	 * @param {Taking} [taking]
	 * @returns {Promise<boolean>}
	 */
	canProceed(resource, taking) {
		return this.#value('can_proceed', this.#taking(resource, { ...taking, origin: undefined }));
	}

	/**
	 * Count a request, even above the limit.
	 *
	 * @param {string} resource
	 * @param {Taking} [taking]
	 * @returns {Promise<boolean>}
	 */
	recordRequest(resource, taking) {
		return this.#value('record_request', this.#taking(resource, { ...taking, origin: undefined }));
	}

	/**
	 * How long until acquire() would be let in.
	 *
	 * @param {string} resource
	 * @param {Taking} [taking]
	 * @returns {Promise<number>} in milliseconds, exact
	 */
	getWaitTime(resource, taking) {
		return this.#value('get_wait_time', this.#taking(resource, { ...taking, origin: undefined }), 'ms');
	}

	/**
	 * A verdict for each policy, the tightest first.
	 *
	 * @param {string} resource
	 * @param {{ quota?: number, perMs?: number }} [options]
	 * @returns {Promise<LimitVerdict[]>}
	 */
	rateLimitStatus(resource, { quota, perMs } = {}) {
		return this.#rows('rate_limit_status', this.#taking(resource, { quota, perMs }), LIMIT);
	}

	/**
	 * Forget what was taken.
	 *
	 * @param {string} resource
	 * @returns {Promise<boolean>}
	 */
	rateLimitReset(resource) {
		return this.#value('rate_limit_reset', [['resource', 'text', this.#name(resource)]]);
	}

	/**
	 * rateLimitReset() of all by prefix. Needs the level operator, as the next three do.
	 *
	 * @param {string} prefix
	 * @returns {Promise<number>}
	 */
	rateLimitClear(prefix) {
		return this.#value('rate_limit_clear', [['prefix', 'text', this.#name(prefix)]], 'count');
	}

	/**
	 * @param {{ prefix?: string, maxRows?: number }} [options]
	 * @returns {Promise<{ resource: string, policy: string | null, quota: number | null, remaining: number | null, resetAt: Date | undefined }[]>}
	 */
	async rateLimitList({ prefix = '', maxRows } = {}) {
		const rows = await this.#rows('rate_limit_list', [['prefix', 'text', this.#name(prefix)], ['max_rows', 'int4', maxRows]],
			{ resource: 'plain', policy: 'plain', quota: 'count', remaining: 'count', reset_at: 'instant' });
		return rows.map((row) => ({ ...row, resource: this.#bare(row.resource) }));
	}

	/**
	 * @param {string} resource or a pattern that ends in *
	 * @param {number} quota
	 * @param {number} perMs
	 * @param {{ algorithm?: string, burst?: number, policy?: string, enforced?: boolean, timeZone?: string }} [options]
	 * @returns {Promise<boolean>} false: it stood so already
	 */
	setRateLimit(resource, quota, perMs, { algorithm, burst, policy, enforced, timeZone } = {}) {
		return this.#value('set_rate_limit', [
			['resource', 'text', this.#name(resource)], ['quota', 'int', quota], ['per', 'ms', perMs], ['algorithm', 'text', algorithm],
			['burst', 'int', burst], ['policy', 'text', policy], ['enforced', 'bool', enforced], ['time_zone', 'text', timeZone],
		]);
	}

	/**
	 * @param {string} resource
	 * @param {{ policy?: string }} [options]
	 * @returns {Promise<boolean>}
	 */
	dropRateLimit(resource, { policy } = {}) {
		return this.#value('drop_rate_limit', [['resource', 'text', this.#name(resource)], ['policy', 'text', policy]]);
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
		return this.#value('set_adaptive_rate_limit', [
			['resource', 'text', this.#name(resource)], ['quota', 'int', adaptive.quota], ['per', 'ms', adaptive.perMs],
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
		return (await this.#rows('adaptive_rate_limit_status', [['resource', 'text', this.#name(resource)]],
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
		return this.#value('set_cooldown', [['origin', 'text', this.#name(origin)], ['until', 'instant', until]]);
	}

	/**
	 * @param {string} origin
	 * @returns {Promise<Date | undefined>}
	 */
	getCooldown(origin) {
		return this.#value('get_cooldown', [['origin', 'text', this.#name(origin)]], 'instant');
	}

	/**
	 * @param {string} origin
	 * @returns {Promise<boolean>}
	 */
	clearCooldown(origin) {
		return this.#value('clear_cooldown', [['origin', 'text', this.#name(origin)]]);
	}

	/**
	 * @param {{ prefix?: string, maxRows?: number }} [options]
	 * @returns {Promise<{ origin: string, until: Date | undefined }[]>}
	 */
	async cooldownList({ prefix = '', maxRows } = {}) {
		const rows = await this.#rows('cooldown_list', [['prefix', 'text', this.#name(prefix)], ['max_rows', 'int4', maxRows]],
			{ origin: 'plain', until: 'instant' });
		return rows.map((row) => ({ ...row, origin: this.#bare(row.origin) }));
	}
}

/** @param {any} value */
function isSayable(value) {
	if (JSON.stringify(value) === undefined)
		throw new TypeError('a value must be something that JSON can say');
	return value;
}
