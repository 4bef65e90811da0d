// CacheStore of http-client-toolkit.
import { NamedStore, isUnsayable, slice, ttlOf, walk } from '../store.js';

/** @template [T=unknown] */
export class CacheStore extends NamedStore {
	/** @param {import('../store.js').NamedStoreOptions} options */
	constructor(options) {
		super(options, 'http:');
	}

	/**
	 * @param {string} hash
	 * @returns {Promise<T | undefined>} undefined is a miss, null a value
	 */
	get(hash) {
		return this.idemstore.cacheGet(this.nameOf(hash));
	}

	/**
	 * Keeps the tags of the entry that it replaces.
	 *
	 * @param {string} hash
	 * @param {T} value
	 * @param {number} ttlSeconds above 0 expires, 0 never, below 0 is over
	 */
	async set(hash, value, ttlSeconds) {
		await this.#put(hash, value, ttlSeconds);
	}

	/**
	 * @param {string} hash
	 * @param {T} value
	 * @param {number} ttlSeconds
	 * @param {string[]} tags
	 */
	async setWithTags(hash, value, ttlSeconds, tags) {
		await this.#put(hash, value, ttlSeconds, tags.map((tag) => this.nameOf(tag)));
	}

	/**
	 * What JSON has no word for reads as a miss, as undefined does.
	 *
	 * @param {string} hash
	 * @param {T} value
	 * @param {number} ttlSeconds
	 * @param {string[]} [tags]
	 */
	async #put(hash, value, ttlSeconds, tags) {
		if (isUnsayable(value))
			await this.delete(hash);
		else
			await this.idemstore.cacheSet(this.nameOf(hash), value, { ttlMs: ttlOf(ttlSeconds * 1000), tags });
	}

	/** @param {string} hash */
	async delete(hash) {
		await this.idemstore.cacheDelete(this.nameOf(hash));
	}

	/** @param {string} [scope] a literal beginning of hashes; all of this store without */
	async clear(scope = '') {
		await this.idemstore.cacheClear({ prefix: this.nameOf(scope) });
	}

	/**
	 * @param {string} tag
	 * @returns {Promise<number>} how many entries are gone
	 */
	invalidateByTag(tag) {
		return this.invalidateByTags([tag]);
	}

	/**
	 * @param {string[]} tags
	 * @returns {Promise<number>} how many entries are gone, each counted once
	 */
	invalidateByTags(tags) {
		return this.idemstore.invalidateByTags(tags.map((tag) => this.nameOf(tag)));
	}

	async getStats() {
		let totalItems = 0;
		let bytes = 0;
		for await (const entry of this.#entries()) {
			totalItems++;
			bytes += entry.size;
		}
		return { totalItems, expiredItems: 0, databaseSizeKB: Math.ceil(bytes / 1024) };
	}

	/** In the order of their hashes; expiresAt in epoch milliseconds, 0 is never. */
	async listEntries(offset = 0, limit = 50) {
		const entries = await slice(this.#entries(), offset, limit);
		return entries.map(({ key, expiresAt, size, tags }) => ({
			hash: this.keyOf(key),
			expiresAt: expiresAt?.getTime() ?? 0,
			size,
			tags: (tags ?? []).map((tag) => this.keyOf(tag)),
		}));
	}

	#entries() {
		return walk((page) => this.idemstore.cacheList({ prefix: this.prefix, ...page }), 'key');
	}

	destroy() {
		return this.close();
	}
}
