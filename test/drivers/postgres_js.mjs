// The driver postgres. It encodes what goes to a json argument: JSON.stringify()
// before it would encode twice. An array would become one of PostgreSQL's, and
// sql.json() is a jsonb, so the type is named.

import postgres from 'postgres'
import { tell } from './story.mjs'

const sql = postgres({ max: 2 })
const json = 114

async function connect() {
	const session = await sql.reserve()
	return {
		// as a tagged template calls it
		query: (parts, values) => session(Object.assign(parts, { raw: parts }), ...values),
		begin: () => session`BEGIN`,
		commit: () => session`COMMIT`,
		rollback: () => session`ROLLBACK`,
		close: () => session.release()
	}
}

await tell({
	connect,
	put: (type, value) => type === 'json' ? sql.typed(value, json) : value,
	sqlstate: error => error.code
})
await sql.end()
