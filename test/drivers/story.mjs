// Do what the story says, through a driver: connect() gives a session with
// query(), begin(), commit(), rollback() and close(); put has, by type, what a
// parameter becomes.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

export async function tell({ connect, put, sqlstate }) {
	const sessions = { A: await connect(), B: await connect() }
	const remembered = {}

	for (const line of readFileSync(process.argv[2], 'utf8').split('\n').filter(Boolean)) {
		const [name, statement] = line.split('\t')
		const session = sessions[name]

		try {
			if (session[statement]) {
				await session[statement]()
				console.log('')
				continue
			}
			const [parts, values] = parse(statement, put, remembered)
			const rows = await session.query(parts, values)
			for (const row of rows) Object.assign(remembered, row)
			console.log(rows.map(row => Object.values(row).map(shown).join('|')).join(';'))
		} catch (error) {
			console.log('error ' + (sqlstate(error) ?? 'driver ' + String(error).replaceAll(/\s+/g, ' ')))
		}
	}
	for (const session of Object.values(sessions)) await session.close()
}

// The statement around its parameters, and these.
function parse(statement, put, remembered) {
	const parts = []
	const values = []
	let end = 0

	for (const match of statement.matchAll(/<<(\S+) (.*?)>>/g)) {
		const [, type, given] = match
		parts.push(statement.slice(end, match.index))
		end = match.index + match[0].length
		values.push(type === '=' ? remembered[given] : put(type, readAs[type](content(type, given))))
	}
	return [[...parts, statement.slice(end)], values]
}

const readAs = {
	text: String, bytes: Buffer.from, json: JSON.parse, int: Number, long: BigInt, seconds: Number,
	duration: text => `${text} seconds`, nanoseconds: BigInt, texts: text => text.split(',')
}

function content(type, given) {
	return given.startsWith('@') ? readFileSync(given.slice(1), type === 'bytes' ? null : 'utf8') : given
}

function shown(value) {
	if (value === null) return 'NULL'
	if (value instanceof Uint8Array) return hashed('bytes', value)
	if (typeof value === 'object' && !(value instanceof Date)) value = JSON.stringify(value)
	return /^[ -~]{0,80}$/.test(value) ? String(value) : hashed('text', Buffer.from(String(value)))
}

function hashed(type, bytes) {
	return `${type} ${bytes.length} ${createHash('sha256').update(bytes).digest('hex')}`
}

// The statement with $1, $2 and so on.
export function numbered(parts) {
	return parts.reduce((text, part, i) => `${text}$${i}${part}`)
}
