// What the middlewares share: the IETF draft of the Idempotency-Key header, with
// the answers that Stripe's API gives.
import { createHash } from 'node:crypto';

/**
 * @typedef {import('../work.js').Result} Result
 * @typedef {[name: string, value: string]} Header
 * @typedef {{ status: number, headers: Header[], body: Buffer }} Answer
 */

/**
 * @template Request
 * @typedef {{
 *   idemstore: import('../idemstore.js').Idemstore,
 *   scope?: (request: Request) => string,
 *   fingerprint?: (request: Request) => string,
 *   methods?: string[],
 *   required?: boolean,
 *   storeStatus?: (status: number) => boolean,
 *   omitHeaders?: string[],
 *   transaction?: boolean,
 *   ttlMs?: number, leaseMs?: number, waitMs?: number,
 *   enabled?: boolean,
 *   onOutcome?: (result: Result, request: Request) => void,
 * }} IdempotencyOptions
 *   scope: whose key it is: one tenant's keys never meet another's;
 *   fingerprint: by default of method, target and body;
 *   methods: those that take a key, by default POST and PATCH;
 *   required: a request without a key is 400;
 *   storeStatus: which answers are stored, by default those below 500: any other is
 *   sent, its transaction rolled back, and the next request with the key runs again;
 *   omitHeaders: not stored, beside set-cookie and date;
 *   transaction: claim, handler and response are one transaction: the handler must
 *   work on what begin() gives, and on no other connection of the pool;
 *   leaseMs: how long a key is held once its process is dead, by default 30 s;
 *   onOutcome: told each outcome, before the handler runs
 */

/** What belongs to one connection or to one moment, or is made anew. */
const OMITTED = ['set-cookie', 'date', 'connection', 'keep-alive', 'transfer-encoding', 'content-length'];

/**
 * @template Request
 * @param {IdempotencyOptions<Request>} options
 */
export function rulesOf({
	idemstore, scope, fingerprint, methods = ['POST', 'PATCH'], required = false, storeStatus = (status) => status < 500,
	omitHeaders = [], transaction = false, leaseMs = 30000, enabled = true, onOutcome = () => {}, ttlMs, waitMs,
}) {
	return {
		idemstore, scope, fingerprint, methods, required, storeStatus, transaction, enabled, onOutcome,
		omitted: new Set([...OMITTED, ...omitHeaders.map((name) => name.toLowerCase())]),
		options: { ttlMs, leaseMs, waitMs },
	};
}

/**
 * @template Request
 * @typedef {ReturnType<typeof rulesOf<Request>>} Rules
 */

/**
 * Does the request take a key?
 *
 * @param {Rules<any>} rules
 * @param {string} method
 * @param {string | undefined} header
 */
export function isMeant({ enabled, methods, required }, method, header) {
	return enabled && methods.includes(method) && (header !== undefined || required);
}

/**
 * A string as RFC 8941 writes it, in quotes, or the same without quotes, as most
 * clients send it; undefined where it is neither.
 *
 * @param {string} header
 */
export function keyIn(header) {
	const quoted = /^"((?:[ !#-[\]-~]|\\["\\])+)"$/.exec(header);
	const key = quoted ? quoted[1].replace(/\\(.)/g, '$1') : /^[!#-+\--~]+$/.exec(header)?.[0];
	return key !== undefined && key.length <= 255 ? key : undefined;
}

/** @param {string | undefined} header that is missing or malformed */
export function refusal(header) {
	return problem(400, header === undefined ? 'The Idempotency-Key header is missing'
		: 'The Idempotency-Key header is not a string of 1 to 255 characters');
}

/**
 * @param {string} method
 * @param {string} target
 * @param {unknown} body bytes, a string, or what a parser made of them
 */
export function fingerprintOf(method, target, body) {
	const isRaw = typeof body === 'string' || body instanceof Uint8Array;
	return createHash('sha256').update(`${method} ${target}\n`).update(isRaw ? body : JSON.stringify(body) ?? '').digest('hex');
}

/**
 * @param {number} status
 * @param {string} title
 * @param {Header[]} [headers]
 * @returns {Answer}
 */
export function problem(status, title, headers = []) {
	return {
		status,
		headers: [['content-type', 'application/problem+json'], ...headers],
		body: Buffer.from(JSON.stringify({ title, status })),
	};
}

/** @param {number | undefined} seconds */
export function inProgress(seconds) {
	return problem(409, 'A request with this Idempotency-Key is being processed', [['retry-after', String(Math.max(1, seconds ?? 1))]]);
}

/**
 * The answer of every outcome but started.
 *
 * @param {Result} result
 * @returns {Answer}
 */
export function answerOf({ outcome, response, retryAfterSeconds }) {
	if (response?.status)
		return {
			status: response.status,
			headers: [...pairs(response.headers), ['idempotent-replayed', 'true']],
			body: response.body ?? Buffer.alloc(0),
		};
	if (outcome === 'in_progress')
		return inProgress(retryAfterSeconds);
	if (outcome === 'mismatch')
		return problem(422, 'This Idempotency-Key was used for another request');
	return problem(outcome === 'duplicate' || outcome === 'abandoned' ? 409 : 500, `The request with this Idempotency-Key is ${outcome}`);
}

/**
 * What any program may have stored: an object or an array of pairs.
 *
 * @param {any} headers
 * @returns {Header[]}
 */
export function pairs(headers) {
	/** @type {[string, any][]} */
	const entries = Array.isArray(headers) ? headers : Object.entries(headers ?? {});
	return entries.flatMap(([name, value]) => [value].flat().map((one) => /** @type {Header} */ ([name, String(one)])));
}
