// One call of a function of the extension, whichever it is.
import { named } from '../errors.js';
import { read, statement } from '../statement.js';

/**
 * @typedef {import('../statement.js').Argument} Argument
 * @typedef {import('../statement.js').Columns} Columns
 */

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
	async rows(name, given, columns) {
		const { text, values } = statement(name, given, columns);
		try {
			return read(await this.query(text, values), columns);
		} catch (error) {
			throw named(error);
		}
	}

	/**
	 * The one value of a function that returns one.
	 *
	 * @param {string} name
	 * @param {Argument[]} given
	 * @param {keyof typeof import('../statement.js').READ} [kind]
	 */
	async value(name, given, kind = 'plain') {
		return Object.values((await this.rows(name, given, { [name]: kind }))[0])[0];
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
