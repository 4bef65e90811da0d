// How a call of the extension becomes a statement that every driver sends and
// reads alike: parameters go as text, but for bytes, and are cast on the server;
// of the results, what drivers read in their own ways comes as text.

/**
 * @typedef {[name: string, kind: keyof typeof SENT, value: any]} Argument
 * @typedef {{ [column: string]: keyof typeof READ }} Columns
 */

const array = (/** @type {string[]} */ elements) =>
	`{${elements.map((element) => (element === null || element === undefined ? 'NULL' : `"${String(element).replace(/["\\]/g, '\\$&')}"`)).join()}}`;

/**
 * A duration in seconds, in whole microseconds, the least that PostgreSQL knows:
 * rounded away from zero, since a ttl of 0 is for ever.
 *
 * @param {number} ms
 */
function seconds(ms) {
	if (typeof ms !== 'number' || Number.isNaN(ms))
		throw new TypeError('a duration must be a number of milliseconds');
	const micros = ms * 1000;
	return String((micros > 0 ? Math.ceil(micros) : Math.floor(micros)) / 1e6);
}

/** @param {any} value */
function json(value) {
	const text = JSON.stringify(value);
	if (text === undefined)
		throw new TypeError('a value must be something that JSON can say');
	return text;
}

/** @param {unknown} value */
function instant(value) {
	return value instanceof Date ? value.toISOString() : String(value);
}

const SENT = {
	text: { sql: 'text', value: String },
	bool: { sql: 'text::boolean', value: String },
	int: { sql: 'text::bigint', value: String },
	int4: { sql: 'text::integer', value: String },
	float: { sql: 'text::float8', value: String },
	uuid: { sql: 'text::uuid', value: String },
	instant: { sql: 'text::timestamptz', value: instant },
	json: { sql: 'text::json', value: json },
	jsons: { sql: 'text::json[]', value: (/** @type {any[]} */ values) => array(values.map(json)) },
	texts: { sql: 'text::text[]', value: array },
	ints: { sql: 'text::bigint[]', value: array },
	/** a string is its UTF-8: as text it could not hold a NUL */
	bytes: { sql: 'bytea', value: (/** @type {any} */ body) => Buffer.from(body) },
	ms: { sql: 'text::float8', value: seconds },
};

const number = (/** @type {any} */ value) => (value === null ? null : Number(value));

export const READ = {
	/** as it comes: text, boolean, integer, float8 */
	plain: { sql: (/** @type {string} */ column) => column, value: (/** @type {any} */ value) => value },
	/** a bigint that counts */
	count: { sql: (/** @type {string} */ column) => `${column}::text`, value: number },
	/** what is passed back as it is: a fence, a uuid */
	opaque: { sql: (/** @type {string} */ column) => `${column}::text`, value: (/** @type {any} */ value) => value },
	json: { sql: (/** @type {string} */ column) => `${column}::text`, value: (/** @type {any} */ value) => (value === null ? undefined : JSON.parse(value)) },
	bytes: { sql: (/** @type {string} */ column) => column, value: (/** @type {any} */ value) => (value === null ? undefined : Buffer.from(value)) },
	instant: {
		sql: (/** @type {string} */ column) => `(extract(epoch FROM ${column}) * 1000)::text`,
		value: (/** @type {any} */ value) => (value === null || !Number.isFinite(Number(value)) ? undefined : new Date(Number(value))),
	},
	/** an interval, as milliseconds */
	ms: { sql: (/** @type {string} */ column) => `(extract(epoch FROM ${column}) * 1000)::text`, value: number },
	texts: { sql: (/** @type {string} */ column) => `array_to_json(${column})::text`, value: (/** @type {any} */ value) => (value === null ? undefined : JSON.parse(value)) },
	bools: { sql: (/** @type {string} */ column) => `array_to_json(${column})::text`, value: (/** @type {any} */ value) => JSON.parse(value) },
};

/** @type {Map<string, string>} the texts that were made already, by function and arguments */
const texts = new Map();

/**
 * What is undefined is left out, so that the function's own default holds.
 *
 * @param {string} name of the function, whose columns are always the same
 * @param {Argument[]} given
 * @param {Columns} columns
 */
export function statement(name, given, columns) {
	const present = given.filter(([, , value]) => value !== undefined);
	const values = present.map(([, kind, value]) => SENT[kind].value(value));
	let which = name;
	for (const [argument] of present)
		which += ` ${argument}`;
	let text = texts.get(which);
	if (text === undefined) {
		text = textOf(name, present, columns);
		texts.set(which, text);
	}
	return { text, values };
}

/**
 * @param {string} name
 * @param {Argument[]} present
 * @param {Columns} columns
 */
function textOf(name, present, columns) {
	const parameters = present.map(([argument, kind], i) => {
		const parameter = `$${i + 1}::${SENT[kind].sql}`;
		return `${argument} => ${kind === 'ms' ? `make_interval(secs => ${parameter})` : parameter}`;
	});
	const selected = Object.entries(columns).map(([column, kind]) => `${READ[kind].sql(column)} AS ${column}`);
	return `SELECT ${selected} FROM idemstore.${name}(${parameters.join(', ')})`;
}

/** @type {Map<string, string>} */
const camels = new Map();

/** @param {string} name */
function camel(name) {
	let made = camels.get(name);
	if (made === undefined) {
		made = name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
		camels.set(name, made);
	}
	return made;
}

/**
 * The rows with their names in JavaScript's manner.
 *
 * @param {any[]} rows
 * @param {Columns} columns
 */
export function read(rows, columns) {
	const kinds = Object.entries(columns);
	return rows.map((row) => {
		/** @type {any} */
		const made = {};
		for (const [column, kind] of kinds)
			made[camel(column)] = READ[kind].value(row[column]);
		return made;
	});
}
