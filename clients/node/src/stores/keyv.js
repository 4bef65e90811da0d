// Storage adapter of Keyv 5 and 6.
//
// Without capabilities, Keyv 6 gives a ttl as Keyv 5 does. Without a namespace
// of its own, it puts the namespace before the keys as Keyv 5 does, which sets
// the property.
import { EventEmitter } from 'node:events';
import { NamedStore, pages, ttlOf } from './store.js';

/** @typedef {{ key: string, value: any, ttl?: number }} KeyvEntry ttl in milliseconds */

export class KeyvStore extends EventEmitter {
	// Keyv makes an iterator for the dialects that it knows.
	opts = { dialect: 'postgres' };
	#store;

	/** @param {import('./store.js').NamedStoreOptions} options */
	constructor(options) {
		super();
		this.setMaxListeners(0);
		this.#store = new NamedStore(options, 'keyv:');
	}

	get #idemstore() {
		return this.#store.idemstore;
	}

	/**
	 * @param {string} key
	 * @returns {Promise<any>} undefined is a miss
	 */
	async get(key) {
		try {
			return (await this.getMany([key]))[0];
		} catch (error) {
			// Keyv 5 takes an error here for a miss.
			if (this.listenerCount('error') > 0)
				this.emit('error', error);
			throw error;
		}
	}

	/**
	 * @param {string[]} keys
	 * @returns {Promise<any[]>} in their order
	 */
	async getMany(keys) {
		const entries = await this.#idemstore.cacheGetMany(this.#namesOf(keys));
		return entries.map(valueOf);
	}

	/**
	 * @param {string} key
	 * @param {any} value
	 * @param {number} [ttl] in milliseconds
	 * @returns {Promise<boolean>}
	 */
	async set(key, value, ttl) {
		const ttlMs = ttlOf(ttl);
		if (typeof value === 'string')
			return this.#idemstore.cacheSetBytes(this.#store.nameOf(key), Buffer.from(value), { ttlMs });
		return this.#idemstore.cacheSet(this.#store.nameOf(key), value, { ttlMs });
	}

	/**
	 * @param {KeyvEntry[]} entries
	 * @returns {Promise<any>} a boolean each; Keyv 5 says void
	 */
	async setMany(entries) {
		return Promise.all(entries.map(({ key, value, ttl }) => this.set(key, value, ttl)));
	}

	/**
	 * @param {string} key
	 * @returns {Promise<boolean>}
	 */
	async delete(key) {
		return this.#idemstore.cacheDelete(this.#store.nameOf(key));
	}

	/**
	 * @param {string[]} keys
	 * @returns {Promise<boolean>} was any of them there?
	 */
	async deleteMany(keys) {
		return await this.#idemstore.cacheDeleteMany(this.#namesOf(keys)) > 0;
	}

	/**
	 * @param {string} key
	 * @returns {Promise<boolean>}
	 */
	async has(key) {
		return (await this.hasMany([key]))[0];
	}

	/**
	 * @param {string[]} keys
	 * @returns {Promise<boolean[]>}
	 */
	async hasMany(keys) {
		return (await this.getMany(keys)).map((value) => value !== undefined);
	}

	/** All of the namespace, and without one all of this store. */
	async clear() {
		await this.#idemstore.cacheClear({ prefix: this.#beginning(/** @type {{ namespace?: string }} */ (this).namespace) });
	}

	/**
	 * @param {string} [namespace]
	 * @returns {AsyncGenerator<[string, any], void>}
	 */
	async *iterator(namespace) {
		const prefix = this.#beginning(namespace);
		for await (const rows of pages((page) => this.#idemstore.cacheList({ prefix, ...page }), 'key', 100)) {
			const keys = rows.map((row) => this.#store.keyOf(row.key));
			const values = await this.getMany(keys);
			for (const [index, value] of values.entries())
				if (value !== undefined)
					yield [keys[index], value];
		}
	}

	/** @param {string} [namespace] */
	#beginning(namespace) {
		return this.#store.nameOf(namespace ? `${namespace}:` : '');
	}

	/** @param {string[]} keys */
	#namesOf(keys) {
		return keys.map((key) => this.#store.nameOf(key));
	}

	async disconnect() {
		await this.#store.close();
	}
}

/**
 * Keyv's own values are strings; what it does not serialise is kept as JSON.
 *
 * @param {{ value: any, valueBytes: Buffer | undefined }} entry
 */
function valueOf({ value, valueBytes }) {
	return valueBytes?.toString() ?? value ?? undefined;
}
