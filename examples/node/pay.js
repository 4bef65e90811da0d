// Claim, work, complete, replay with the driver pg: in one transaction and in two.
//
//	npm install pg
//	PGHOST=localhost PGUSER=me PGDATABASE=mine node pay.js
//
// The database has the extension and CREATE TABLE ledger (payment text, amount numeric).

import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

const pool = new pg.Pool()
const headers = JSON.stringify({ 'content-type': 'application/json' })

// A composite result belongs into FROM. fence is a bigint, so it arrives as a
// string, and goes back as it is.
async function start(connection, key, body, lease = null) {
	const fingerprint = createHash('sha256').update(body).digest('hex')
	const { rows } = await connection.query(
		`SELECT outcome, fence, response_status, response_body, retry_after_seconds
		FROM idemstore.start_processing($1, $2, lease => $3)`,
		[key, fingerprint, lease])
	return rows[0]
}

// What to send when there is nothing to do.
function settled(claim) {
	switch (claim.outcome) {
		case 'replay':
		case 'failed':
			return { status: claim.response_status, body: claim.response_body.toString(), isReplayed: true }
		case 'in_progress':
			return { status: 409, retryAfter: claim.retry_after_seconds }
		case 'mismatch':
			return { status: 422 }
		default:
			throw new Error(`unexpected outcome ${claim.outcome}`)
	}
}

// The business itself. What it writes commits together with the response.
async function charge(client, key, body, fence) {
	const { amount } = JSON.parse(body)
	if (amount > 1000) {
		const refusal = JSON.stringify({ payment: key, refused: 'limit' })
		await client.query(
			'SELECT idemstore.fail($1, $2, response_status => 402, response_headers => $3, response_text => $4, fence => $5)',
			[key, JSON.stringify({ reason: 'limit' }), headers, refusal, fence])
		return { status: 402, body: refusal }
	}
	const response = JSON.stringify({ payment: key, amount })
	await client.query('INSERT INTO ledger VALUES ($1, $2)', [key, amount])
	await client.query('SELECT idemstore.complete($1, 201, $2, $3, fence => $4)',
		[key, headers, response, fence])
	return { status: 201, body: response }
}

// One transaction: an error in it rolls back, which gives the key back.
function pay(key, body) {
	return inTransaction(async (client) => {
		const claim = await start(client, key, body)
		return claim.outcome === 'started' ? charge(client, key, body, claim.fence) : settled(claim)
	})
}

// Two transactions, with a slow call to somebody else between them. The claim
// is committed, so it outlives this process; the lease says for how long. Give
// the bank the same key: it may be asked again by whoever takes over.
async function transfer(key, body, bank, lease = '30 s') {
	const claim = await start(pool, key, body, lease)
	if (claim.outcome !== 'started') return settled(claim)
	try {
		await bank(key)
	} catch (error) {
		await pool.query('SELECT idemstore.fail($1, $2, retryable => true, fence => $3)',
			[key, JSON.stringify({ reason: error.message }), claim.fence])
		return { status: 503 }
	}
	try {
		return await inTransaction((client) => charge(client, key, body, claim.fence))
	} catch (error) {
		// the claim is lost: somebody took over, and the retry gets his answer
		if (error.code === 'ID412') return { status: 409, retryAfter: 1 }
		throw error
	}
}

// A connection that cannot roll back is closed, which has the same effect.
async function inTransaction(work) {
	const client = await pool.connect()
	try {
		await client.query('BEGIN')
		const result = await work(client)
		await client.query('COMMIT')
		client.release()
		return result
	} catch (error) {
		await client.query('ROLLBACK').then(() => client.release(), (lost) => client.release(lost))
		throw error
	}
}

function say(step, { status, body, retryAfter, isReplayed }) {
	console.log(`${step}: ${status}` + (body ? ` ${body}` : '') +
		(retryAfter ? `, Retry-After: ${retryAfter}` : '') + (isReplayed ? ', replayed' : ''))
}

const body = '{"amount": 9.99}'
say('payment', await pay('node-1', body))
say('its retry', await pay('node-1', body))
say('its key with another body', await pay('node-1', '{"amount": 5}'))

const other = await pool.connect()
await other.query('BEGIN')
await start(other, 'node-2', body)
say('while another process is at it', await pay('node-2', body))
await other.query('ROLLBACK')
other.release()
say('when that one is dead', await pay('node-2', body))

say('payment refused', await pay('node-3', '{"amount": 5000}'))
say('its retry', await pay('node-3', '{"amount": 5000}'))

say('transfer', await transfer('node-4', body, async (key) => {
	say('while the bank is at it', await transfer(key, body))
}))
say('its retry', await transfer('node-4', body))

say('transfer, the bank is down', await transfer('node-5', body, async () => {
	throw new Error('the bank is down')
}))
say('its retry', await transfer('node-5', body, async () => {}))

say('transfer, slower than its lease', await transfer('node-6', body, async (key) => {
	await sleep(300)
	say('taken over meanwhile', await transfer(key, body, async () => {}))
}, '0.2 s'))
say('its retry', await transfer('node-6', body))
await pool.end()
