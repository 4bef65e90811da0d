// Payments over HTTP that honour the Idempotency-Key header, as the draft
// draft-ietf-httpapi-idempotency-key-header and Stripe's API do.
//
//	POST /payments	all in one transaction
//	POST /transfers	in two, with a slow call to a bank between them
//
//	first request			201	and the response is stored with the charge
//	the same again			201	stored status, headers and body, and Idempotent-Replayed: true
//	while the first is at it	409	with Retry-After in seconds
//	another body under the key	422
//	no key, or a malformed one	400
//
// A refusal (402) is an answer and stored like any other. What could not be
// decided (400) or went wrong (5xx) is not stored: the client may send it again.
//
// Environment: PGHOST and the like, PORT, BANK_URL, LEASE_SECONDS.

import { createHash } from 'node:crypto'
import express from 'express'
import pg from 'pg'

const leaseSeconds = Number(process.env.LEASE_SECONDS ?? 30)
const pool = new pg.Pool({ max: 20 })

// A lost connection is an error of the query that was running, if any was.
pool.on('error', () => {})
pool.on('connect', (client) => client.on('error', () => {}))

const app = express()
app.disable('x-powered-by')
// The body stays raw: the fingerprint is taken over what was sent.
app.use(express.raw({ type: () => true, limit: '1mb' }))

// Nobody can take over a claim that is not committed: here the lease only says
// in how many seconds a duplicate should come back.
app.post('/payments', async (request, response) => {
	const call = identify(request)
	const payment = readPayment(request)
	send(response, await inTransaction(async (client) => {
		const claim = await start(client, call, 2)
		if (claim.outcome !== 'started') return settled(claim)
		const answer = payment.amount > 10000 ? refused(payment) : await charge(client, payment)
		return complete(client, call, claim.fence, answer)
	}))
})

// Here the lease is how long the claim outlives this process.
app.post('/transfers', async (request, response) => {
	const call = identify(request)
	const payment = readPayment(request)
	const claim = await start(pool, call, leaseSeconds)    // its own transaction
	if (claim.outcome !== 'started') return send(response, settled(claim))
	const isAccepted = await askBank(call, payment).catch((error) => giveUp(call, claim.fence, error))
	send(response, await inTransaction(async (client) => {
		const answer = isAccepted ? await charge(client, payment) : refused(payment)
		return complete(client, call, claim.fence, answer)
	}))
})

app.use((request, response) => sendProblem(response, new Problem(404, 'No such resource')))
app.use((error, request, response, next) => {
	if (response.headersSent) return next(error)
	if (error instanceof Problem) return sendProblem(response, error)
	// The claim is lost: somebody took over, and the retry gets his answer.
	if (error.code === 'ID412') return sendProblem(response, inProgress(1))
	if (error.expose) return sendProblem(response, new Problem(error.status, error.message))
	console.error(error)
	sendProblem(response, new Problem(500, 'Something went wrong; send it again with the same key'))
})

// Which request this is. The keys of one caller never meet those of another:
// the header stands for whatever your authentication knows him by.
function identify(request) {
	const caller = request.get('authorization')
	return {
		key: readKey(request.get('idempotency-key')),
		scope: caller ? sha256(caller) : 'anonymous',
		fingerprint: sha256(`${request.method} ${request.originalUrl}\n`, request.body ?? ''),
	}
}

// A string as RFC 8941 writes it, in quotes, or the same without quotes, as
// most clients send it.
function readKey(header) {
	if (header === undefined) throw new Problem(400, 'The Idempotency-Key header is missing')
	const quoted = /^"((?:[ !#-[\]-~]|\\["\\])+)"$/.exec(header)
	const key = quoted ? quoted[1].replace(/\\(.)/g, '$1') : /^[!#-+\--~]+$/.exec(header)?.[0]
	if (!key || key.length > 255) {
		throw new Problem(400, 'The Idempotency-Key header is not a string of 1 to 255 characters')
	}
	return key
}

function sha256(...parts) {
	return parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex')
}

async function start(connection, { key, fingerprint, scope }, lease) {
	const { rows } = await connection.query(
		`SELECT outcome, fence, response_status, response_headers, response_body, retry_after_seconds
		FROM idemstore.start_processing($1, $2, scope => $3, lease => $4)`,
		[key, fingerprint, scope, lease])
	return rows[0]
}

// What to send when there is nothing to do.
function settled(claim) {
	switch (claim.outcome) {
		case 'replay':
			return {
				status: claim.response_status,
				headers: { ...claim.response_headers, 'idempotent-replayed': 'true' },
				body: claim.response_body,
			}
		case 'in_progress':
			throw inProgress(claim.retry_after_seconds)
		case 'mismatch':
			throw new Problem(422, 'This Idempotency-Key was used for another request')
		default:
			throw new Error(`unexpected outcome ${claim.outcome}`)
	}
}

function readPayment(request) {
	let payment
	try {
		payment = JSON.parse(request.body)
	} catch {
		throw new Problem(400, 'The body is not JSON')
	}
	if (!isPayment(payment)) throw new Problem(400, 'The body must have a payment, of word characters, and an amount above 0')
	return payment
}

function isPayment(value) {
	return typeof value?.payment === 'string' && /^[\w-]{1,64}$/.test(value.payment) &&
		Number.isFinite(value.amount) && value.amount > 0
}

// The business itself.
async function charge(client, { payment, amount }) {
	await client.query('INSERT INTO ledger VALUES ($1, $2)', [payment, amount])
	return reply(201, { payment, amount }, { location: `/payments/${payment}` })
}

function refused({ payment }) {
	return reply(402, { title: 'Payment refused', status: 402, payment }, { 'content-type': 'application/problem+json' })
}

// The answer, in the transaction of what it is the answer to.
async function complete(client, { key, scope }, fence, answer) {
	await client.query('SELECT idemstore.complete($1, $2, $3, response_body => $4, fence => $5, scope => $6)',
		[key, answer.status, JSON.stringify(answer.headers), answer.body, fence, scope])
	return answer
}

// The bank gets a key too, since it may be asked again by whoever takes over,
// and must answer before the lease is over.
async function askBank({ key, scope }, payment) {
	const response = await fetch(`${process.env.BANK_URL}/transfers`, {
		method: 'POST',
		headers: { 'content-type': 'application/json', 'idempotency-key': sha256(`${scope} ${key}`) },
		body: JSON.stringify(payment),
		signal: AbortSignal.timeout(leaseSeconds * 800),
	})
	await response.arrayBuffer()
	if (response.status >= 500) throw new Error(`the bank answered ${response.status}`)
	return response.ok
}

// The next request with this key begins anew, without waiting for the lease.
async function giveUp({ key, scope }, fence, error) {
	await pool.query('SELECT idemstore.fail($1, $2, retryable => true, fence => $3, scope => $4)',
		[key, JSON.stringify({ reason: error.message }), fence, scope])
	throw new Problem(502, 'The bank did not answer', { 'retry-after': '1' })
}

// A connection that cannot roll back is closed, which has the same effect: the
// key is given back.
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

class Problem extends Error {
	constructor(status, title, headers = {}) {
		super(title)
		Object.assign(this, { status, headers })
	}
}

function inProgress(seconds) {
	return new Problem(409, 'This request is being processed', { 'retry-after': String(seconds) })
}

function reply(status, content, headers = {}) {
	return {
		status,
		headers: { 'content-type': 'application/json', ...headers },
		body: Buffer.from(JSON.stringify(content)),
	}
}

function sendProblem(response, { status, message, headers }) {
	send(response, reply(status, { title: message, status }, { ...headers, 'content-type': 'application/problem+json' }))
}

function send(response, { status, headers, body }) {
	response.writeHead(status, { ...headers, 'content-length': body.length }).end(body)
}

const server = app.listen(process.env.PORT ?? 3000, (error) => {
	if (error) throw error
	console.log(`listening on port ${server.address().port}`)
})

// Answer what has begun, then go; a connection that is kept alive is closed as
// soon as it is idle.
process.once('SIGTERM', () => {
	server.close(() => pool.end())
	setInterval(() => server.closeIdleConnections(), 50).unref()
})
