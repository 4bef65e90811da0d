/*
 * Rate limits from Node.js, as its users call them: so many clients, each asking
 * again as soon as it has the answer. Prints the operations, and the seconds of
 * time and of CPU that they took, once the code is warm.
 *
 *	node limits.mjs SIDE CLIENTS OPERATIONS KEYS DATABASE REDIS_SOCKET
 *
 * SIDE is idemstore, each call a statement of its own; gathered, by its package for
 * Node.js; rate-limiter-flexible on postgres or on redis; or window, a script of
 * Redis to which calls are gathered in the same way.
 */
import { randomInt } from 'node:crypto';
import Redis from 'ioredis';
import pg from 'pg';
import { RateLimiterPostgres, RateLimiterRedis } from 'rate-limiter-flexible';
import { Gatherer } from '../clients/node/src/gatherer.js';
import { Idemstore } from '../clients/node/src/index.js';

const [side, clients, operations, keys, database, socket] = process.argv.slice(2);
const limit = { points: 1_000_000_000, duration: 3600 };
// as many as a pool of pg has if nothing is said
const most = Math.min(clients, process.env.MOST ?? 10);
const windows = `
	local allowed = {}
	for i, key in ipairs(KEYS) do
		local n = redis.call('INCR', key)
		if n == 1 then redis.call('PEXPIRE', key, ARGV[2]) end
		allowed[i] = n <= tonumber(ARGV[1]) and 1 or 0
	end
	return allowed`;

const sides = {
	async idemstore() {
		const pool = new pg.Pool({ database, max: most });
		return {
			acquire: async (key) => {
				const call = { name: 'acquire', text: 'SELECT idemstore.acquire($1)', values: [key] };
				return (await pool.query(call)).rows[0].acquire;
			},
			close: () => pool.end(),
		};
	},
	async gathered() {
		const pool = new pg.Pool({ database, max: most });
		const idemstore = new Idemstore({ pool });
		return {
			acquire: (key) => idemstore.acquire(key),
			close: () => pool.end(),
		};
	},
	async window() {
		const connection = new Redis({ path: socket });
		connection.defineCommand('windows', { lua: windows });
		const gatherer = new Gatherer(
			(keys) => connection.windows(keys.length, ...keys.map((key) => `window:${key}`), limit.points, limit.duration * 1000), () => '');
		return {
			acquire: async (key) => (await gatherer.ask(key)) === 1,
			close: () => connection.quit(),
		};
	},
	async postgres() {
		const pool = new pg.Pool({ database, max: most });
		const limiter = await new Promise((resolve, reject) => {
			const made = new RateLimiterPostgres(
				{ storeClient: pool, storeType: 'pool', tableName: 'flexible_limits', keyPrefix: '', clearExpiredByTimeout: false, ...limit },
				(error) => (error ? reject(error) : resolve(made)));
		});
		return {
			acquire: async (key) => (await limiter.consume(key)).consumedPoints > 0,
			close: () => pool.end(),
		};
	},
	async redis() {
		const connections = Array.from({ length: most }, () => new Redis({ path: socket }));
		const limiters = connections.map((storeClient) => new RateLimiterRedis({ storeClient, keyPrefix: 'flexible', ...limit }));
		return {
			acquire: async (key, client) => (await limiters[client % most].consume(key)).consumedPoints > 0,
			close: () => Promise.all(connections.map((connection) => connection.quit())),
		};
	},
};

const { acquire, close } = await sides[side]();
const key = () => String(100_000_000_000 + randomInt(Number(keys)));
const each = Math.ceil(operations / clients);
const ask = async (client, count) => {
	for (let i = 0; i < count; i++)
		if (!(await acquire(key(), client)))
			throw new Error(`${side} denied what is allowed`);
};
const all = (count) => Promise.all(Array.from({ length: Number(clients) }, (_, client) => ask(client, count)));

await all(Math.ceil(500 / clients));
const cpuBefore = process.cpuUsage();
const began = performance.now();
await all(each);
const seconds = (performance.now() - began) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);
await close();
console.log(each * clients, seconds.toFixed(4), ((user + system) / 1e6).toFixed(4));
