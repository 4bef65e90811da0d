// An executor in place of a pool, for those whose transactions are those of a
// library: each is the line that the manual shows.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';
import { PrismaPg } from '@prisma/adapter-pg';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import makeKnex from 'knex';
import { CompiledQuery, Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import postgres from 'postgres';
import { Idemstore, LostClaimError, NoLimitError } from '../src/index.js';
import { charges, errorOf, newKey, newPool } from './support.js';

const HOUR = 3600000;
const { PGHOST: host, PGPORT: port, PGUSER: user, PGDATABASE: database } = process.env;
const connection = { host, port: Number(port), user, database };

const libraries = {
	pg(t) {
		const pool = newPool(t);
		const query = (text, values) => pool.query(text, values).then((result) => result.rows);
		const transaction = async (work) => {
			const client = await pool.connect();
			try {
				await client.query('BEGIN');
				const result = await work(client, (text, values) => client.query(text, values).then(({ rows }) => rows));
				await client.query('COMMIT');
				return result;
			} catch (error) {
				await client.query('ROLLBACK');
				throw error;
			} finally {
				client.release();
			}
		};
		return { query, transaction, charge: (client, key) => client.query('INSERT INTO charges VALUES ($1)', [key]) };
	},
	'postgres.js'(t) {
		const sql = postgres({ ...connection, max: 4, onnotice: () => {} });
		t.after(() => sql.end());
		const on = (db) => (text, values) => db.unsafe(text, values);
		return { query: on(sql), transaction: (work) => sql.begin((tx) => work(tx, on(tx))), charge: (tx, key) => tx`INSERT INTO charges VALUES (${key})` };
	},
	knex(t) {
		const knex = makeKnex({ client: 'pg', connection });
		t.after(() => knex.destroy());
		const on = (db) => async (text, values) => (await db.raw(text.replace(/\$\d+/g, '?'), values)).rows;
		return { query: on(knex), transaction: (work) => knex.transaction((tx) => work(tx, on(tx))), charge: (tx, key) => tx('charges').insert({ payment: key }) };
	},
	kysely(t) {
		const db = new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool() }) });
		t.after(() => db.destroy());
		const on = (db) => async (text, values) => (await db.executeQuery(CompiledQuery.raw(text, values))).rows;
		return {
			query: on(db), transaction: (work) => db.transaction().execute((tx) => work(tx, on(tx))),
			charge: (tx, key) => tx.insertInto('charges').values({ payment: key }).execute(),
		};
	},
	drizzle(t) {
		const db = drizzle(newPool(t));
		const on = (db) => async (text, values) => (await db.execute(sql(text.split(/\$\d+/), ...values))).rows;
		return { query: on(db), transaction: (work) => db.transaction((tx) => work(tx, on(tx))), charge: (tx, key) => tx.execute(sql`INSERT INTO charges VALUES (${key})`) };
	},
	prisma(t) {
		const prisma = newPrisma();
		t.after(() => prisma.$disconnect());
		const on = (db) => (text, values) => db.$queryRawUnsafe(text, ...values);
		return { query: on(prisma), transaction: (work) => prisma.$transaction((tx) => work(tx, on(tx))), charge: (tx, key) => tx.$executeRawUnsafe('INSERT INTO charges VALUES ($1)', key) };
	},
};

/** A client without models, so that no program has to generate it. */
function newPrisma() {
	const require = createRequire(import.meta.url);
	const compiler = '@prisma/client/runtime/query_compiler_small_bg.postgresql';
	const PrismaClient = require('@prisma/client/runtime/client').getPrismaClient({
		previewFeatures: [],
		clientVersion: require('@prisma/client/package.json').version,
		engineVersion: '',
		activeProvider: 'postgresql',
		inlineSchema: 'datasource db { provider = "postgresql" }',
		runtimeDataModel: { models: {}, enums: {}, types: {} },
		parameterizationSchema: { strings: [], graph: 'AAAA' },
		compilerWasm: {
			getRuntime: async () => require(`${compiler}.js`),
			getQueryCompilerWasmModule: async () => new WebAssembly.Module(Buffer.from(require(`${compiler}.wasm-base64.js`).wasm, 'base64')),
			importName: './query_compiler_small_bg.js',
		},
	});
	return new PrismaClient({ adapter: new PrismaPg(connection) });
}

for (const [name, make] of Object.entries(libraries)) {
	test(name, async (t) => {
		const { charge, ...executor } = make(t);
		const pool = newPool(t);
		const idemstore = new Idemstore({ ...executor, prefix: `${newKey()}/` });
		const key = newKey();
		const body = Buffer.from([0, 92, 39, 255]);
		const pay = async (client) => (await charge(client, key), { status: 201, headers: [['a', '\\']], body });

		const wrong = new Error('wrong');
		assert.equal(await errorOf(idemstore.run({ key }, async (client) => { await pay(client); throw wrong; })), wrong);
		assert.equal(await charges(pool, key), 0);
		const results = await Promise.all(Array.from({ length: 4 }, () => idemstore.run({ key, waitMs: HOUR }, pay)));
		assert.deepEqual(results.map(({ outcome }) => outcome).sort(), ['replay', 'replay', 'replay', 'started']);
		for (const { response } of results)
			assert.deepEqual(response, { status: 201, headers: [['a', '\\']], body });
		assert.equal(await charges(pool, key), 1);

		const { outcome } = await idemstore.runOutside({ key: `${key}/2` }, async () => 7, { finish: async (client, claim, result) => ({ status: result }) });
		assert.equal(outcome, 'started');
		const { fence } = await idemstore.startProcessing('k', { leaseMs: HOUR });
		assert.ok(await errorOf(idemstore.complete('k', { fence: String(BigInt(fence) - 1n) })) instanceof LostClaimError);
		const lost = idemstore.run({ key: `${key}/3` }, async (client, claim) => { await claim.calls.complete('k', { fence: '1' }); });
		assert.ok(await errorOf(lost) instanceof LostClaimError);
		assert.ok(await errorOf(idemstore.acquire('none')) instanceof NoLimitError);

		for (const value of [null, [1, '\\'], { a: null }, 'text', 1, false])
			assert.deepEqual(await idemstore.cacheSet('k', value, { tags: ['t,"'] }).then(() => idemstore.cacheGet('k')), value);
		await idemstore.cacheSetBytes('b', '\\');
		assert.deepEqual(await Promise.all(['b', 'no'].map((one) => idemstore.cacheGet(one))), [Buffer.from('\\'), undefined]);
		assert.equal(await idemstore.invalidateByTag('t,"'), 1);
		assert.equal(await idemstore.acquire('r', { quota: 1, perMs: HOUR }), true);
		const verdict = await idemstore.consume('r', { quota: 1, perMs: HOUR });
		assert.deepEqual([verdict.allowed, verdict.quota, verdict.remaining, verdict.reason], [false, 1, 0, 'quota']);
		assert.ok(verdict.resetAt > verdict.decidedAt && verdict.retryAfterMs > HOUR / 2);
		await idemstore.close();
	});
}
