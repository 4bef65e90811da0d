/** Middleware for Hono 4. @module idemstore/hono */
import { answerOf, fingerprintOf, isMeant, keyIn, refusal, rulesOf } from './rules.js';
import { limiterOf } from './limit.js';
import { open } from './session.js';

/**
 * Run the handler once a key, and answer every retry with its stored response. The
 * handler has c.get('idempotency'), a Session; what it answers is sent once it is
 * committed.
 *
 * @param {import('./rules.js').IdempotencyOptions<import('hono').Context>} options
 * @returns {import('hono').MiddlewareHandler}
 */
export function idempotency(options) {
	const rules = rulesOf(options);
	return async (c, next) => {
		const header = c.req.header('idempotency-key');
		if (!isMeant(rules, c.req.method, header))
			return next();
		const key = keyIn(header ?? '');
		if (key === undefined)
			return responseOf(refusal(header));
		const { pathname, search } = new URL(c.req.url);
		const fingerprint = rules.fingerprint?.(c)
			?? fingerprintOf(c.req.method, pathname + search, new Uint8Array(await c.req.arrayBuffer()));
		const { session, result } = await open(rules, { key, scope: rules.scope?.(c), fingerprint });
		rules.onOutcome(result, c);
		if (!session)
			return responseOf(answerOf(result));
		c.set('idempotency', session);
		try {
			await next();
			const answer = await answerIn(c.res);
			const settled = await session.end(answer);
			c.res = /** @type {any} */ (undefined);
			c.res = responseOf(settled);
		} finally {
			// What was thrown has no answer, and of two ends the first counts.
			session.end().catch(() => {});
		}
	};
}

/**
 * Deny with 429 what a limit denies.
 *
 * @param {import('./limit.js').RateLimitOptions<import('hono').Context>} options
 * @returns {import('hono').MiddlewareHandler}
 */
export function rateLimit(options) {
	const limiter = limiterOf(options);
	return async (c, next) => {
		const { denial, headers } = await limiter(c);
		if (denial)
			return responseOf(denial);
		for (const [name, value] of headers)
			c.header(name, value);
		await next();
	};
}

/** @param {Response} response */
async function answerIn(response) {
	return { status: response.status, headers: [...response.headers], body: Buffer.from(await response.arrayBuffer()) };
}

/** @param {import('./rules.js').Answer} answer */
function responseOf({ status, headers, body }) {
	const isBodiless = status === 204 || status === 205 || status === 304;
	return new Response(isBodiless ? null : /** @type {any} */ (body), { status, headers });
}
