// The driver pg, as it comes. An array would become one of PostgreSQL's, and so
// JSON is passed as text; bigint comes and goes as a string.

import pg from 'pg'
import { numbered, tell } from './story.mjs'

async function connect() {
	const client = new pg.Client()
	await client.connect()
	return {
		query: async (parts, values) => (await client.query(numbered(parts), values)).rows ?? [],
		begin: () => client.query('BEGIN'),
		commit: () => client.query('COMMIT'),
		rollback: () => client.query('ROLLBACK'),
		close: () => client.end()
	}
}

await tell({
	connect,
	put: (type, value) => type === 'json' ? JSON.stringify(value) : value,
	sqlstate: error => error.code
})
