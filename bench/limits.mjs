/*
 * Rate limits from Node.js, as its users call them: so many clients, each asking
 * again as soon as it has the answer. Prints the operations, and the seconds of
 * time and of CPU that they took, once the code is warm.
 *
 *	node limits.mjs SIDE CLIENTS OPERATIONS KEYS DATABASE REDIS_SOCKET
 *
 * SIDE is idemstore, or rate-limiter-flexible on postgres or on redis.
 */
import { randomInt } from 'node:crypto';
import Redis from 'ioredis';
import pg from 'pg';
import { RateLimiterPostgres, RateLimiterRedis } from 'rate-limiter-flexible';

const [side, clients, operations, keys, database, socket] = process.argv.slice(2);
const limit = { points: 1_000_000_000, duration: 3600 };

const sides = {
	async idemstore() {
		const pool = new pg.Pool({ database, max: Number(clients) });
		return {
			acquire: async (key) => {
				const call = { name: 'acquire', text: 'SELECT idemstore.acquire($1)', values: [key] };
				return (await pool.query(call)).rows[0].acquire;
			},
			close: () => pool.end(),
		};
	},
	async postgres() {
		const pool = new pg.Pool({ database, max: Number(clients) });
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
		const connections = Array.from({ length: Number(clients) }, () => new Redis({ path: socket }));
		const limiters = connections.map((storeClient) => new RateLimiterRedis({ storeClient, keyPrefix: 'flexible', ...limit }));
		return {
			acquire: async (key, client) => (await limiters[client].consume(key)).consumedPoints > 0,
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
