import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import test from 'node:test';
import express from 'express';
import { idempotency, rateLimit } from '../src/web/express.js';
import { newIdemstore, newKey } from './support.js';
import { idempotencySuite, post, rateLimitSuite } from './web.js';

async function listen(t, middleware, handler) {
	const app = express();
	app.set('env', 'test');
	app.post('/pay', express.json({ limit: '10mb', strict: false }), middleware, handler);
	const server = app.listen(0);
	await once(server, 'listening');
	t.after(() => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))));
	return `http://127.0.0.1:${server.address().port}/pay`;
}

const serveBy = (middleware) => (t, options, work) => listen(t, middleware(options), async (request, response) => {
	const { status, headers, body } = await work({ session: request.idempotency, body: request.body });
	response.status(status).set(headers);
	if (body === null)
		response.end();
	else
		response.send(Buffer.from(body));
});

idempotencySuite(serveBy(idempotency));
rateLimitSuite(serveBy(rateLimit));

test('however a handler answers, it is stored', async (t) => {
	const { idemstore } = newIdemstore(t);
	const ways = {
		json: (response) => response.status(202).json({ a: '\\' }),
		writeHead: (response) => response.writeHead(202, 'Accepted', { 'content-type': 'application/json' }).end('{"a":"\\\\"}'),
		pairs: (response) => response.writeHead(202, ['content-type', 'application/json']).end(Buffer.from('{"a":"\\\\"}')),
		parts: (response) => {
			response.statusCode = 202;
			response.setHeader('content-type', 'application/json');
			response.write('{"a":', () => response.end('"\\\\"}', 'utf8'));
		},
		piped: (response) => {
			response.status(202).type('json');
			return pipeline(Readable.from(['{"a":', '"\\\\"}']), response);
		},
	};
	for (const [name, way] of Object.entries(ways)) {
		const url = await listen(t, idempotency({ idemstore }), async (request, response) => {
			assert.equal(response.headersSent, false);
			await way(response);
			assert.ok(name === 'parts' || response.headersSent);
		});
		const key = newKey();
		for (const isReplayed of [false, true]) {
			const answer = await post(url, key);
			assert.deepEqual([answer.status, answer.isReplayed, answer.body.toString()], [202, isReplayed, '{"a":"\\\\"}'], name);
			assert.match(answer.headers.get('content-type'), /^application\/json/);
		}
	}
});

test('a body that no parser has read is an error', async (t) => {
	const { idemstore } = newIdemstore(t);
	const app = express();
	app.set('env', 'test');
	app.post('/pay', idempotency({ idemstore }), (request, response) => response.end());
	const server = app.listen(0);
	await once(server, 'listening');
	t.after(() => server.close());
	assert.equal((await post(`http://127.0.0.1:${server.address().port}/pay`, newKey())).status, 500);
});
