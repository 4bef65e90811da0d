// What the middlewares for rate limits share.
import { problem } from './rules.js';

/**
 * @typedef {import('../calls.js').LimitVerdict} LimitVerdict
 */

/**
 * @template Request
 * @typedef {{
 *   idemstore: import('../idemstore.js').Idemstore,
 *   resource: (request: Request) => string,
 *   cost?: (request: Request) => number,
 *   quota?: number, perMs?: number,
 *   onError?: 'allow' | 'deny' | 'throw',
 *   timeoutMs?: number,
 *   enabled?: boolean,
 *   onOutcome?: (outcome: { verdict?: LimitVerdict, error?: unknown }, request: Request) => void,
 * }} RateLimitOptions
 *   resource: what a request counts on; quota, perMs: by default the configured limit;
 *   onError: what becomes of a request when there is no verdict within timeoutMs, 1 s
 *   by default: it passes, is 503, or fails with the error
 */

/**
 * The answer to what is denied, and the headers of what is allowed.
 *
 * @template Request
 * @param {RateLimitOptions<Request>} options
 */
export function limiterOf({
	idemstore, resource, cost = () => 1, quota, perMs, onError = 'throw', timeoutMs = 1000, enabled = true, onOutcome = () => {},
}) {
	/**
	 * @param {Request} request
	 * @returns {Promise<{ denial?: import('./rules.js').Answer, headers: import('./rules.js').Header[] }>}
	 */
	return async (request) => {
		if (!enabled)
			return { headers: [] };
		let verdict;
		try {
			verdict = await within(timeoutMs, idemstore.consume(resource(request), { cost: cost(request), quota, perMs }));
		} catch (error) {
			onOutcome({ error }, request);
			if (onError === 'throw')
				throw error;
			return { headers: [], denial: onError === 'deny' ? problem(503, 'The rate limit could not be checked', [['retry-after', '1']]) : undefined };
		}
		onOutcome({ verdict }, request);
		const headers = headersOf(verdict);
		return { headers, denial: verdict.allowed ? undefined : problem(429, 'There were too many requests', headers) };
	};
}

/**
 * @template T
 * @param {number} ms
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
async function within(ms, promise) {
	let timer;
	try {
		return await Promise.race([promise, new Promise((_, reject) => {
			timer = setTimeout(() => reject(new Error(`there was no verdict within ${ms} ms`)), ms);
		})]);
	} finally {
		clearTimeout(timer);
	}
}

/**
 * @param {LimitVerdict} verdict
 * @returns {import('./rules.js').Header[]}
 */
function headersOf({ allowed, policy, remaining, resetAt, decidedAt, retryAfterSeconds }) {
	const reset = Math.max(0, Math.ceil((Number(resetAt) - Number(decidedAt)) / 1000)) || 0;
	/** @type {import('./rules.js').Header[]} */
	const headers = [['ratelimit', `"${(policy ?? 'default').replace(/[^ !#-[\]-~]/g, '_')}";r=${remaining};t=${reset}`]];
	if (!allowed && retryAfterSeconds)
		headers.push(['retry-after', String(retryAfterSeconds)]);
	return headers;
}
