// A strict user of the package as it is published: what is wrong must not compile.
import { Idemstore, LostClaimError, shard } from 'idemstore';
import { idempotency, rateLimit } from 'idemstore/express';
import { idempotency as forFastify } from 'idemstore/fastify';
import { idempotency as forHono } from 'idemstore/hono';
import { Hono } from 'hono';
import fastify from 'fastify';

const idemstore = new Idemstore({ query: async () => [], transaction: async (work) => work({}, async () => []), prefix: 'a/' });
const { outcome, response } = await idemstore.run({ key: 'k', waitMs: 100 }, async (client, claim) => {
	const fence: string = claim.fence;
	await claim.calls.invalidateByTag(fence);
	return { status: 201, headers: { a: 'b' }, body: Buffer.from('') };
});
const isNew: boolean = outcome === 'started';
const body: Buffer | undefined = response?.body;
await idemstore.runOutside({ key: 'k' }, async () => 7, { finish: async (client, claim, result) => ({ status: result }) });
const counted: number = await idemstore.invalidateByTags(['t']);
const verdict = await idemstore.consume('r', { quota: 5, perMs: 1000 });
const retryAfterMs: number | null = verdict.retryAfterMs;
const value: string = await idemstore.getOrCompute('k', { ttlMs: 1000 }, async () => 'text');
const found: number = shard('k', 4);
const code: string | undefined = new LostClaimError('lost').code;

idempotency({ idemstore, scope: (request) => request.ip, onOutcome: ({ outcome }) => outcome });
rateLimit({ idemstore, resource: () => 'r', onError: 'allow', timeoutMs: 100 });
new Hono().use(forHono({ idemstore, scope: (c) => c.req.header('x-tenant') ?? '' }));
fastify().register(forFastify({ idemstore, scope: (request) => request.ip }));

// @ts-expect-error: a key is a string
await idemstore.get(1);
// @ts-expect-error: a lease is in milliseconds
await idemstore.startProcessing('k', { lease: 5 });
// @ts-expect-error: there is something to run on
new Idemstore({ prefix: 'a' });
// @ts-expect-error: no such way
rateLimit({ idemstore, resource: () => 'r', onError: 'ignore' });
// @ts-expect-error: a limit has a period
await idemstore.setRateLimit('r', 5);
// @ts-expect-error: outcomes are known
const isWrong: boolean = outcome === 'begun';

export { isNew, body, counted, retryAfterMs, value, found, code, isWrong };
