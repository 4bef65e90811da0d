/** A plugin for Fastify 5. @module idemstore/fastify */
import { answerOf, fingerprintOf, isMeant, keyIn, pairs, refusal, rulesOf } from './rules.js';
import { open } from './session.js';

/**
 * Run the handler once a key, and answer every retry with its stored response: for
 * the routes of the instance that it is registered in. The handler has
 * request.idempotency, a Session; what it answers is sent once it is committed.
 *
 * @param {import('./rules.js').IdempotencyOptions<import('fastify').FastifyRequest>} options
 * @returns {import('fastify').FastifyPluginAsync}
 */
export function idempotency(options) {
	const rules = rulesOf(options);
	/** @type {import('fastify').FastifyPluginAsync} */
	const plugin = async (fastify) => {
		fastify.decorateRequest('idempotency', null);
		fastify.addHook('preHandler', (request, reply) => claim(rules, /** @type {any} */ (request), reply));
		fastify.addHook('onSend', (request, reply, payload) => settle(/** @type {any} */ (request), reply, payload));
	};
	return Object.assign(plugin, { [Symbol.for('skip-override')]: true });
}

/**
 * @param {import('./rules.js').Rules<any>} rules
 * @param {any} request
 * @param {any} reply
 */
async function claim(rules, request, reply) {
	const header = request.headers['idempotency-key'];
	if (!isMeant(rules, request.method, header))
		return;
	const key = keyIn(header ?? '');
	if (key === undefined)
		return send(reply, refusal(header));
	const fingerprint = rules.fingerprint?.(request) ?? fingerprintOf(request.method, request.originalUrl, request.body);
	const { session, result } = await open(rules, { key, scope: rules.scope?.(request), fingerprint });
	if (session)
		request.idempotency = session;
	rules.onOutcome(result, request);
	if (!session)
		return send(reply, answerOf(result));
}

/**
 * @param {any} request
 * @param {any} reply
 * @param {any} payload
 */
async function settle(request, reply, payload) {
	const session = request.idempotency;
	if (!session)
		return payload;
	// The answer to an error of this hook comes here again.
	request.idempotency = null;
	try {
		const body = await bytesOf(payload);
		const answer = { status: reply.statusCode, headers: pairs(reply.getHeaders()), body };
		const settled = await session.end(answer);
		if (settled !== answer) {
			for (const name of Object.keys(reply.getHeaders()))
				reply.removeHeader(name);
			reply.code(settled.status).headers(Object.fromEntries(settled.headers));
		}
		return settled.body;
	} finally {
		session.end().catch(() => {});
	}
}

/**
 * @param {any} reply
 * @param {import('./rules.js').Answer} answer
 */
function send(reply, { status, headers, body }) {
	reply.code(status);
	for (const [name, value] of headers)
		reply.header(name, value);
	return reply.send(body);
}

/** @param {any} payload a string, bytes, or a stream of them */
async function bytesOf(payload) {
	if (payload === undefined || payload === null)
		return Buffer.alloc(0);
	if (typeof payload === 'string' || payload instanceof Uint8Array)
		return Buffer.from(/** @type {any} */ (payload));
	const parts = [];
	for await (const part of payload)
		parts.push(Buffer.from(part));
	return Buffer.concat(parts);
}
