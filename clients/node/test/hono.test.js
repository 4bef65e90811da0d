import { once } from 'node:events';
import { serve as serveHono } from '@hono/node-server';
import { Hono } from 'hono';
import { idempotency, rateLimit } from '../src/web/hono.js';
import { idempotencySuite, rateLimitSuite } from './web.js';

const serveBy = (middleware) => async (t, options, work) => {
	const app = new Hono();
	app.onError((error, c) => c.text(error.message, 500));
	app.post('/pay', middleware(options), async (c) => {
		const { status, headers, body } = await work({ session: c.get('idempotency'), body: await c.req.json() });
		return new Response(body, { status, headers });
	});
	const server = serveHono({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
	if (!server.listening)
		await once(server, 'listening');
	t.after(() => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))));
	return `http://127.0.0.1:${server.address().port}/pay`;
};

idempotencySuite(serveBy(idempotency));
rateLimitSuite(serveBy(rateLimit));
