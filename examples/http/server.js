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
import { Idemstore } from 'idemstore'
import { idempotency } from 'idemstore/express'
import pg from 'pg'

const leaseMs = Number(process.env.LEASE_SECONDS ?? 30) * 1000
const pool = new pg.Pool({ max: 20 })
const idemstore = new Idemstore({ pool })

// A lost connection is an error of the query that was running, if any was.
pool.on('error', () => {})

const once = (options) => idempotency({
	idemstore,
	required: true,
	leaseMs,
	// The keys of one caller never meet those of another: the header stands for
	// whatever your authentication knows him by.
	scope: (request) => request.get('authorization') ? sha256(request.get('authorization')) : 'anonymous',
	storeStatus: (status) => status < 500 && status !== 400,
	...options,
})

const app = express()
app.disable('x-powered-by')
// The body stays raw: the fingerprint is taken over what was sent.
app.use(express.raw({ type: () => true, limit: '1mb' }))

// Nobody can take over a claim that is not committed: here the lease only says
// in how many seconds a duplicate should come back.
app.post('/payments', once({ transaction: true, leaseMs: 2000 }), async (request, response) => {
	const payment = readPayment(request)
	if (payment.amount > 10000) return refuse(response, payment)
	await charge(response, await request.idempotency.begin(), payment)
})

// Here the lease is how long the claim outlives this process.
app.post('/transfers', once(), async (request, response) => {
	const payment = readPayment(request)
	if (!await askBank(request.idempotency.claim)) return refuse(response, payment)
	await charge(response, await request.idempotency.begin(), payment)
})

app.use(() => { throw new Problem(404, 'No such resource') })
app.use((error, request, response, next) => {
	if (response.headersSent) return next(error)
	if (error.expose) return sendProblem(response, error)
	console.error(error)
	sendProblem(response, new Problem(500, 'Something went wrong; send it again with the same key'))
})

function sha256(text) {
	return createHash('sha256').update(text).digest('hex')
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

// The business itself, in the transaction that its response is stored in.
async function charge(response, client, { payment, amount }) {
	await client.query('INSERT INTO ledger VALUES ($1, $2)', [payment, amount])
	response.writeHead(201, { 'content-type': 'application/json', location: `/payments/${payment}` })
		.end(JSON.stringify({ payment, amount }))
}

function refuse(response, { payment }) {
	sendProblem(response, new Problem(402, 'Payment refused'), { payment })
}

// The bank gets a key too, since it may be asked again by whoever takes over.
async function askBank({ key, scope, signal }) {
	try {
		const response = await fetch(`${process.env.BANK_URL}/transfers`, {
			method: 'POST',
			headers: { 'content-type': 'application/json', 'idempotency-key': sha256(`${scope} ${key}`) },
			signal,
		})
		await response.arrayBuffer()
		if (response.status < 500) return response.ok
	} catch (error) {
		console.error(error)
	}
	throw new Problem(502, 'The bank did not answer', { 'retry-after': '1' })
}

class Problem extends Error {
	constructor(status, title, headers = {}) {
		super(title)
		Object.assign(this, { status, headers, expose: true })
	}
}

function sendProblem(response, { status, message, headers }, more = {}) {
	response.writeHead(status, { ...headers, 'content-type': 'application/problem+json' })
		.end(JSON.stringify({ title: message, status, ...more }))
}

const server = app.listen(process.env.PORT ?? 3000, (error) => {
	if (error) throw error
	console.log(`listening on port ${server.address().port}`)
})

// Answer what has begun, then go; a connection that is kept alive is closed as
// soon as it is idle.
process.once('SIGTERM', () => {
	server.close(async () => {
		await idemstore.close()
		await pool.end()
	})
	setInterval(() => server.closeIdleConnections(), 50).unref()
})
