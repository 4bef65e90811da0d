/** Middleware for Express 5. @module idemstore/express */
import { answerOf, fingerprintOf, isMeant, keyIn, pairs, refusal, rulesOf } from './rules.js';
import { limiterOf } from './limit.js';
import { open } from './session.js';

/**
 * Run the handler once a key, and answer every retry with its stored response. A
 * parser of the body comes before it. The handler has request.idempotency, a
 * Session; what it answers is sent once it is committed.
 *
 * @param {import('./rules.js').IdempotencyOptions<any>} options
 * @returns {(request: any, response: any, next: (error?: any) => void) => Promise<void>}
 */
export function idempotency(options) {
	const rules = rulesOf(options);
	return async (request, response, next) => {
		const header = request.get('idempotency-key');
		if (!isMeant(rules, request.method, header))
			return next();
		const key = keyIn(header ?? '');
		if (key === undefined)
			return send(response, refusal(header));
		try {
			const { session, result } = await open(rules, { key, scope: rules.scope?.(request), fingerprint: fingerprint(rules, request) });
			if (!session) {
				rules.onOutcome(result, request);
				return send(response, answerOf(result));
			}
			request.idempotency = session;
			capture(response, session, next);
			rules.onOutcome(result, request);
			next();
		} catch (error) {
			next(error);
		}
	};
}

/**
 * Deny with 429 what a limit denies.
 *
 * @param {import('./limit.js').RateLimitOptions<any>} options
 * @returns {(request: any, response: any, next: (error?: any) => void) => Promise<void>}
 */
export function rateLimit(options) {
	const limiter = limiterOf(options);
	return async (request, response, next) => {
		try {
			const { denial, headers } = await limiter(request);
			if (denial)
				return send(response, denial);
			for (const [name, value] of headers)
				response.setHeader(name, value);
		} catch (error) {
			return next(error);
		}
		next();
	};
}

/**
 * @param {import('./rules.js').Rules<any>} rules
 * @param {any} request
 */
function fingerprint(rules, request) {
	if (rules.fingerprint)
		return rules.fingerprint(request);
	if (request.body === undefined && !request.readableEnded && (Number(request.headers['content-length']) > 0 || request.headers['transfer-encoding']))
		throw new TypeError('idempotency() needs the body: put a parser such as express.json() before it');
	return fingerprintOf(request.method, request.originalUrl, request.body);
}

/**
 * @param {any} response
 * @param {import('./rules.js').Answer} answer
 */
function send(response, { status, headers, body }) {
	response.statusCode = status;
	for (const [name, value] of headers)
		response.appendHeader(name, value);
	response.end(body);
}

/**
 * Keep what the handler answers until it is committed.
 *
 * @param {any} response
 * @param {import('./session.js').Session} session
 * @param {(error: any) => void} next
 */
function capture(response, session, next) {
	const { writeHead, write, end, flushHeaders } = response;
	/** @type {Buffer[]} */
	const parts = [];
	let isBegun = false;
	let isEnded = false;

	const restore = () => {
		Object.assign(response, { writeHead, write, end, flushHeaders });
		delete response.headersSent;
	};
	const keep = (/** @type {any} */ part, /** @type {any} */ encoding) => {
		isBegun = true;
		if (part !== undefined && part !== null && typeof part !== 'function')
			parts.push(Buffer.from(part, typeof encoding === 'string' ? /** @type {BufferEncoding} */ (encoding) : undefined));
	};
	const finish = async () => {
		const headers = pairs(response.getHeaders());
		const answer = { status: response.statusCode, headers, body: Buffer.concat(parts) };
		try {
			const settled = await session.end(answer);
			restore();
			if (settled !== answer)
				return replace(response, settled);
			response.end(answer.body);
		} catch (error) {
			restore();
			clear(response);
			next(error);
		}
	};

	Object.defineProperty(response, 'headersSent', { configurable: true, get: () => isBegun });
	response.writeHead = (/** @type {number} */ status, /** @type {any[]} */ ...rest) => {
		isBegun = true;
		response.statusCode = status;
		setHeaders(response, rest.at(-1));
		return response;
	};
	response.flushHeaders = () => { isBegun = true; };
	response.write = (/** @type {any} */ part, /** @type {any} */ encoding, /** @type {any} */ done) => {
		keep(part, encoding);
		const told = typeof encoding === 'function' ? encoding : done;
		if (told)
			queueMicrotask(told);
		return true;
	};
	response.end = (/** @type {any} */ part, /** @type {any} */ encoding, /** @type {any} */ done) => {
		if (isEnded)
			return response;
		isEnded = true;
		keep(part, encoding);
		const told = [part, encoding, done].find((one) => typeof one === 'function');
		if (told)
			response.once('finish', told);
		finish();
		return response;
	};
	// Whoever streams to a client that hung up ends in the middle.
	response.once('close', () => {
		if (isEnded || !isBegun)
			return;
		isEnded = true;
		session.end().catch(() => {});
	});
}

/**
 * @param {any} response
 * @param {any} headers an object, or names and values in turn
 */
function setHeaders(response, headers) {
	if (headers === null || typeof headers !== 'object')
		return;
	const entries = Array.isArray(headers)
		? headers.flat().map((name, i, all) => [name, all[i + 1]]).filter((_, i) => i % 2 === 0)
		: Object.entries(headers);
	for (const [name, value] of entries)
		response.setHeader(name, value);
}

/** @param {any} response */
function clear(response) {
	for (const name of response.getHeaderNames())
		response.removeHeader(name);
}

/**
 * @param {any} response
 * @param {import('./rules.js').Answer} answer
 */
function replace(response, answer) {
	clear(response);
	send(response, answer);
}
