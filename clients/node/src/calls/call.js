// One call of a function of the extension, whichever it is.
import { named } from '../errors.js';
import { READ, read, statement } from '../statement.js';

/**
 * @typedef {import('../statement.js').Argument} Argument
 * @typedef {import('../statement.js').Columns} Columns
 */

/** The functions that are called all the time. */
const OFTEN = new Set(['acquire', 'acquire_many', 'consume', 'consume_many', 'cache_get_many']);

export class Call {
	/**
	 * @param {import('../executor.js').Query} query
	 * @param {string} [prefix] stands before keys, hashes, tags, resources and origins
	 * @param {string} [scope] of the records, where a call names none
	 */
	constructor(query, prefix = '', scope) {
		this.query = query;
		this.prefix = prefix;
		this.scope = scope;
	}

	/**
	 * @param {string} name
	 * @param {Argument[]} given
	 * @param {Columns} columns
	 * @returns {Promise<any[]>}
	 */
	async #ask(name, given, columns) {
		const { text, values } = statement(name, given, columns);
		try {
			return await this.query(text, values, OFTEN.has(name));
		} catch (error) {
			throw named(error);
		}
	}

	/**
	 * @param {string} name
	 * @param {Argument[]} given
	 * @param {Columns} columns
	 * @returns {Promise<any[]>}
	 */
	async rows(name, given, columns) {
		return read(await this.#ask(name, given, columns), columns);
	}

	/**
	 * The one value of a function that returns one.
	 *
	 * @param {string} name
	 * @param {Argument[]} given
	 * @param {keyof typeof READ} [kind]
	 */
	async value(name, given, kind = 'plain') {
		const [row] = await this.#ask(name, given, { [name]: kind });
		return READ[kind].value(row[name]);
	}

	/** @param {string} name */
	name(name) {
		return this.prefix + name;
	}

	/** @param {string[] | undefined} names */
	names(names) {
		return names?.map((name) => this.name(name));
	}

	/** @param {string} name */
	bare(name) {
		return name.slice(this.prefix.length);
	}

	/** @param {string | undefined} scope */
	scoped(scope) {
		return scope ?? this.scope;
	}

	/**
	 * @param {string} prefix
	 * @param {number | undefined} maxRows
	 * @param {string | undefined} after
	 * @returns {Argument[]}
	 */
	page(prefix, maxRows, after) {
		return [
			['prefix', 'text', this.name(prefix)], ['max_rows', 'int4', maxRows],
			['after', 'text', after === undefined || after === '' ? undefined : this.name(after)],
		];
	}
}

/** What has methods that are calls. */
export class Callable {
	/** @protected */
	call;

	/** @param {Call} call */
	constructor(call) {
		this.call = call;
	}
}

/**
 * What is undefined would be left out, and the server say less clearly why.
 *
 * @param {any} value
 */
export function sayable(value) {
	if (JSON.stringify(value) === undefined)
		throw new TypeError('a value must be something that JSON can say');
	return value;
}
