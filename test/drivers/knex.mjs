// Knex over pg: what holds for pg holds for it.

import knex from 'knex'
import { tell } from './story.mjs'

const pool = knex({ client: 'pg', connection: { host: process.env.PGHOST, port: process.env.PGPORT, user: process.env.PGUSER, database: process.env.PGDATABASE } })

async function connect() {
	let transaction = null
	return {
		query: async (parts, values) => {
			const { rows } = await (transaction ?? pool).raw(parts.map(part => part.replaceAll('?', '\\?')).join('?'), values)
			return rows ?? []
		},
		begin: async () => { transaction = await pool.transaction() },
		commit: async () => { await transaction.commit(); transaction = null },
		rollback: async () => { await transaction.rollback(); transaction = null },
		close: () => {}
	}
}

await tell({
	connect,
	put: (type, value) => type === 'json' ? JSON.stringify(value) : value,
	sqlstate: error => error.code
})
await pool.destroy()
