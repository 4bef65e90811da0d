// Prisma's client with its adapter for pg and no generated models, so no program
// of its own has to be fetched: what the generator would write is made here.
// It cannot read an interval, even NULL; a cast to text is the way out.

import { PrismaPg } from '@prisma/adapter-pg'
import { createRequire } from 'node:module'
import { numbered, tell } from './story.mjs'

const require = createRequire(import.meta.url)
const compiler = '@prisma/client/runtime/query_compiler_small_bg.postgresql'
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
		importName: './query_compiler_small_bg.js'
	}
})
const { PGHOST: host, PGPORT: port, PGUSER: user, PGDATABASE: database } = process.env
const prisma = new PrismaClient({ adapter: new PrismaPg({ host, port, user, database }) })
const gaveUp = new Error('rolled back')

async function connect() {
	let transaction = null
	let end = {}
	return {
		query: (parts, values) => (transaction ?? prisma).$queryRawUnsafe(castIntervals(numbered(parts)), ...values),
		// A transaction is as long as its callback takes.
		begin: () => new Promise(begun => {
			end.finished = prisma.$transaction(client => new Promise((commit, rollback) => {
				transaction = client
				Object.assign(end, { commit, rollback })
				begun()
			}), { timeout: 600_000 })
		}),
		commit: async () => { end.commit(); transaction = null; await end.finished },
		rollback: async () => {
			end.rollback(gaveUp)
			transaction = null
			await end.finished.catch(error => { if (error !== gaveUp) throw error })
		},
		close: () => {}
	}
}

function castIntervals(statement) {
	return statement.replace(/^SELECT \* FROM (idemstore\.(?:cache_ttl|get_wait_time)\(.*\))$/, 'SELECT $1::text')
}

await tell({
	connect,
	put: (type, value) => type === 'json' ? JSON.stringify(value) : value,
	sqlstate: error => error.meta?.driverAdapterError?.cause?.originalCode
})
await prisma.$disconnect()
