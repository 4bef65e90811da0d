import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import test from 'node:test';
import fastify from 'fastify';
import { idempotency } from '../src/web/fastify.js';
import { newIdemstore, newKey } from './support.js';
import { idempotencySuite, post } from './web.js';

async function serve(t, options, work) {
	const app = fastify({ bodyLimit: 10 << 20, forceCloseConnections: true });
	app.register(idempotency(options));
	app.post('/pay', async (request, reply) => {
		const { status, headers, body } = await work({ session: request.idempotency, body: request.body });
		return reply.code(status).headers(headers).send(body ?? undefined);
	});
	await app.listen({ port: 0 });
	t.after(() => app.close());
	return `http://127.0.0.1:${app.server.address().port}/pay`;
}

idempotencySuite(serve);

test('a stream is stored', async (t) => {
	const { idemstore } = newIdemstore(t);
	const url = await serve(t, { idemstore }, async () => ({ status: 202, headers: {}, body: Readable.from(['a', '\\']) }));
	const key = newKey();
	for (const isReplayed of [false, true]) {
		const answer = await post(url, key);
		assert.deepEqual([answer.status, answer.isReplayed, answer.body.toString()], [202, isReplayed, 'a\\']);
	}
});
