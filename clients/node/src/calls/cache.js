// The cache.
import { Records } from './records.js';
import { sayable } from './call.js';

export class Cache extends Records {
	/**
	 * The value, or undefined for a miss: the JSON null is null, bytes are a Buffer.
	 *
	 * @param {string} key
	 * @returns {Promise<any>}
	 */
	async cacheGet(key) {
		const [{ value, valueBytes }] = await this.cacheGetMany([key]);
		return valueBytes ?? value;
	}

	/**
	 * The values of the keys, in their order; both undefined for a miss.
	 *
	 * @param {string[]} keys
	 * @returns {Promise<{ key: string, value: any, valueBytes: Buffer | undefined }[]>}
	 */
	async cacheGetMany(keys) {
		const rows = await this.call.rows('cache_get_many', [['keys', 'texts', this.call.names(keys)]],
			{ key: 'plain', value: 'json', value_bytes: 'bytes' });
		return rows.map((row) => ({ ...row, key: this.call.bare(row.key) }));
	}

	/**
	 * Store something that JSON can say. False: it could be older than an
	 * invalidation, and nothing is stored.
	 *
	 * @param {string} key
	 * @param {any} value
	 * @param {import('../calls.js').Setting} [setting] tags undefined: those of a live entry stay
	 * @returns {Promise<boolean>}
	 */
	async cacheSet(key, value, { ttlMs, tags, fence } = {}) {
		return this.call.value('cache_set', [
			['key', 'text', this.call.name(key)], ['value', 'json', sayable(value)], ['ttl', 'ms', ttlMs],
			['tags', 'texts', this.call.names(tags)], ['fence', 'int', fence],
		]);
	}

	/**
	 * The bytes of the entry, also of one that is JSON.
	 *
	 * @param {string} key
	 * @returns {Promise<Buffer | undefined>}
	 */
	cacheGetBytes(key) {
		return this.call.value('cache_get_bytes', [['key', 'text', this.call.name(key)]], 'bytes');
	}

	/**
	 * @param {string} key
	 * @param {import('../calls.js').Body} value
	 * @param {import('../calls.js').Setting} [setting]
	 * @returns {Promise<boolean>}
	 */
	cacheSetBytes(key, value, { ttlMs, tags, fence } = {}) {
		return this.call.value('cache_set_bytes', [
			['key', 'text', this.call.name(key)], ['value', 'bytes', value], ['ttl', 'ms', ttlMs],
			['tags', 'texts', this.call.names(tags)], ['fence', 'int', fence],
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
		return this.call.value('cache_add', [
			['key', 'text', this.call.name(key)], ['value', 'json', sayable(value)], ['ttl', 'ms', ttlMs], ['tags', 'texts', this.call.names(tags)],
		]);
	}

	/**
	 * cacheSet() of each value under the key in its place.
	 *
	 * @param {string[]} keys
	 * @param {any[]} items
	 * @param {{ ttlMs?: number, tags?: string[] }} [setting]
	 * @returns {Promise<number>} how many were stored
	 */
	cacheSetMany(keys, items, { ttlMs, tags } = {}) {
		return this.call.value('cache_set_many', [
			['keys', 'texts', this.call.names(keys)], ['items', 'jsons', items], ['ttl', 'ms', ttlMs], ['tags', 'texts', this.call.names(tags)],
		], 'count');
	}

	/**
	 * Store value where expected stands, as this package has stored it.
	 *
	 * @param {string} key
	 * @param {any} expected
	 * @param {any} value
	 * @param {{ ttlMs?: number, tags?: string[] }} [setting] ttlMs undefined: it ends when it would have ended
	 * @returns {Promise<boolean>} did it stand there?
	 */
	cacheCompareAndSet(key, expected, value, { ttlMs, tags } = {}) {
		return this.call.value('cache_compare_and_set', [
			['key', 'text', this.call.name(key)], ['expected', 'json', sayable(expected)], ['value', 'json', sayable(value)],
			['ttl', 'ms', ttlMs], ['tags', 'texts', this.call.names(tags)],
		]);
	}

	/**
	 * @param {string} key
	 * @returns {Promise<boolean>} was there one?
	 */
	cacheDelete(key) {
		return this.call.value('cache_delete', [['key', 'text', this.call.name(key)]]);
	}

	/**
	 * @param {string[]} keys
	 * @returns {Promise<number>} how many there were
	 */
	cacheDeleteMany(keys) {
		return this.call.value('cache_delete_many', [['keys', 'texts', this.call.names(keys)]], 'count');
	}

	/**
	 * Remove all whose keys begin with the prefix, literally.
	 *
	 * @param {{ prefix?: string }} [options]
	 * @returns {Promise<number>} how many there were
	 */
	cacheClear({ prefix = '' } = {}) {
		return this.call.value('cache_clear', [['prefix', 'text', this.call.name(prefix)]], 'count');
	}

	/**
	 * @param {string} key
	 * @param {number} ttlMs
	 * @returns {Promise<boolean>}
	 */
	cacheTouch(key, ttlMs) {
		return this.call.value('cache_touch', [['key', 'text', this.call.name(key)], ['ttl', 'ms', ttlMs]]);
	}

	/**
	 * How long the entry still lives: 0 for ever, undefined where there is none.
	 *
	 * @param {string} key
	 * @returns {Promise<number | undefined>}
	 */
	async cacheTtl(key) {
		return await this.call.value('cache_ttl', [['key', 'text', this.call.name(key)]], 'ms') ?? undefined;
	}

	/**
	 * Add to the integer in the entry, or to 0; the sum.
	 *
	 * @param {string} key
	 * @param {{ delta?: number, ttlMs?: number }} [options] ttlMs: of a new entry
	 * @returns {Promise<number>}
	 */
	cacheIncrement(key, { delta, ttlMs } = {}) {
		return this.call.value('cache_increment', [['key', 'text', this.call.name(key)], ['delta', 'int', delta], ['ttl', 'ms', ttlMs]], 'count');
	}

	/**
	 * Remove all entries that have one of the tags.
	 *
	 * @param {string[]} tags
	 * @returns {Promise<number>} how many there were
	 */
	invalidateByTags(tags) {
		return this.call.value('invalidate_by_tags', [['tags', 'texts', this.call.names(tags)]], 'count');
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
		return (await this.call.rows('cache_fetch', [
			['key', 'text', this.call.name(key)], ['lease', 'ms', leaseMs], ['stale', 'ms', staleMs], ['wait', 'ms', waitMs],
		], { outcome: 'plain', value: 'json', value_bytes: 'bytes', fence: 'opaque', expires_at: 'instant' }))[0];
	}

	/**
	 * The live entries by prefix, in the order of their keys; for the next page pass
	 * the last key as after.
	 *
	 * @param {import('../calls.js').Page} [page]
	 * @returns {Promise<{ key: string, expiresAt: Date | undefined, tags: string[] | undefined, size: number }[]>}
	 */
	async cacheList({ prefix = '', maxRows, after } = {}) {
		const rows = await this.call.rows('cache_list', this.call.page(prefix, maxRows, after),
			{ key: 'plain', expires_at: 'instant', tags: 'texts', size: 'count' });
		return rows.map((row) => ({ ...row, key: this.call.bare(row.key), tags: row.tags?.map((/** @type {string} */ tag) => this.call.bare(tag)) }));
	}
}
