// The service as its clients see it: they retry, duplicate and hang up, and the
// process is killed under them.
//
//	node server.test.js
//
// PGHOST and the like lead to a database with the extension and the table ledger.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { createInterface } from 'node:readline'
import { after, before, test as define } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'

const test = (name, run) => define(name, { timeout: 60_000 }, run)
const database = new pg.Pool()
const children = new Set()
let bank
let service

before(async () => {
	bank = await startBank()
	service = await startService()
})

after(async () => {
	killChildren()
	bank.server.close()
	bank.server.closeAllConnections()
	await database.end()
})

process.on('exit', killChildren)

function killChildren() {
	for (const child of children) child.kill('SIGKILL')
}

// A bank that answers as the test at hand wants it.
async function startBank() {
	const bank = { asked: [], answer: async () => 200 }
	bank.server = http.createServer(async (request, response) => {
		request.resume()
		bank.asked.push(request.headers['idempotency-key'])
		response.writeHead(await bank.answer()).end()
	})
	await once(bank.server.listen(0, '127.0.0.1'), 'listening')
	bank.url = `http://127.0.0.1:${bank.server.address().port}`
	return bank
}

async function startService(environment = {}) {
	const child = spawn(process.execPath, [fileURLToPath(new URL('server.js', import.meta.url))], {
		env: { ...process.env, PORT: '0', BANK_URL: bank.url, ...environment },
		stdio: ['ignore', 'pipe', 'ignore'],
	})
	children.add(child)
	const exit = once(child, 'exit')
	const ended = exit.then(() => { throw new Error('the service ended before it listened') })
	const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), ended])
	return { child, exit, url: `http://127.0.0.1:${/\d+$/.exec(line)[0]}` }
}

async function kill(service) {
	service.child.kill('SIGKILL')
	await service.exit
}

function payment(key, amount = 9.99) {
	return JSON.stringify({ payment: key, amount })
}

async function post(key, body, { path = '/payments', headers = {}, to = service } = {}) {
	const response = await fetch(to.url + path, {
		method: 'POST',
		headers: { 'content-type': 'application/json', ...(key === null ? {} : { 'idempotency-key': key }), ...headers },
		body,
	})
	return {
		status: response.status,
		headers: response.headers,
		isReplayed: response.headers.get('idempotent-replayed') === 'true',
		body: Buffer.from(await response.arrayBuffer()).toString(),
	}
}

// A request whose client may hang up.
function open(key, headers = {}) {
	const request = http.request(`${service.url}/payments`, {
		method: 'POST', headers: { 'idempotency-key': key, ...headers },
	})
	request.on('error', () => {})
	return { request, closed: new Promise((resolve) => request.on('close', resolve)) }
}

// What a good client does.
async function postUntilAnswered(key, body, options) {
	for (;;) {
		const answer = await post(key, body, options).catch(() => ({ status: 0 }))
		if (answer.status === 201) return answer
		assert.ok([0, 409, 500, 502].includes(answer.status), `status ${answer.status} on the way`)
		await sleep(20)
	}
}

async function charges(key) {
	const { rows } = await database.query('SELECT count(*)::int AS times FROM ledger WHERE payment = $1', [key])
	return rows[0].times
}

async function until(query, parameters) {
	for (;;) {
		const { rows } = await database.query(query, parameters)
		if (rows.length > 0) return rows[0]
		await sleep(10)
	}
}

// Hold up all charges for as long as the work takes.
async function whileLedgerIsLocked(work) {
	const holder = await database.connect()
	try {
		await holder.query('BEGIN; LOCK TABLE ledger IN SHARE MODE')
		return await work()
	} finally {
		await holder.query('ROLLBACK')
		holder.release()
	}
}

function someoneIsHeldUp() {
	return until("SELECT pid FROM pg_locks WHERE relation = 'ledger'::regclass AND NOT granted")
}

function isProblem(answer, status) {
	assert.equal(answer.status, status)
	assert.equal(answer.headers.get('content-type'), 'application/problem+json')
	assert.equal(JSON.parse(answer.body).status, status)
}

function isInProgress(answer, most) {
	isProblem(answer, 409)
	assert.match(answer.headers.get('retry-after'), /^[1-9]\d*$/)
	assert.ok(Number(answer.headers.get('retry-after')) <= most)
}

function isReplayOf(first, answer) {
	assert.equal(answer.isReplayed, true)
	assert.equal(answer.status, first.status)
	assert.equal(answer.body, first.body)
	for (const header of ['content-type', 'content-length', 'location']) {
		assert.equal(answer.headers.get(header), first.headers.get(header))
	}
}

for (const path of ['/payments', '/transfers']) {
	test(`${path}: the first request is executed, a retry gets its answer byte for byte`, async () => {
		const key = randomUUID()
		const first = await post(key, payment(key), { path })
		assert.equal(first.status, 201)
		assert.equal(first.isReplayed, false)
		assert.equal(first.headers.get('content-type'), 'application/json')
		assert.equal(first.headers.get('location'), `/payments/${key}`)
		assert.deepEqual(JSON.parse(first.body), { payment: key, amount: 9.99 })
		isReplayOf(first, await post(key, payment(key), { path }))
		isReplayOf(first, await post(key, payment(key), { path }))
		assert.equal(await charges(key), 1)
	})

	test(`${path}: another body under a used key is 422`, async () => {
		const key = randomUUID()
		const first = await post(key, payment(key), { path })
		isProblem(await post(key, payment(key, 5), { path }), 422)
		isProblem(await post(key, payment(key) + ' ', { path }), 422)
		isReplayOf(first, await post(key, payment(key), { path }))
		assert.equal(await charges(key), 1)
	})

	test(`${path}: of twenty at once, exactly one is executed`, async () => {
		for (let round = 0; round < 10; round++) {
			const key = randomUUID()
			const answers = await Promise.all(Array.from({ length: 20 }, () => post(key, payment(key), { path })))
			const executed = answers.filter((answer) => answer.status === 201 && !answer.isReplayed)
			assert.equal(executed.length, 1)
			for (const answer of answers.filter((answer) => answer !== executed[0])) {
				if (answer.status === 409) isInProgress(answer, 30)
				else isReplayOf(executed[0], answer)
			}
			isReplayOf(executed[0], await post(key, payment(key), { path }))
			assert.equal(await charges(key), 1)
		}
	})

	test(`${path}: a refusal is an answer, and replayed`, async () => {
		const key = randomUUID()
		const body = payment(key, path === '/payments' ? 50000 : 1)
		bank.answer = async () => 402
		const first = await post(key, body, { path })
		bank.answer = async () => 200
		isProblem(first, 402)
		isReplayOf(first, await post(key, body, { path }))
		assert.equal(await charges(key), 0)
	})

	test(`${path}: without a key, or with a malformed one, it is 400`, async () => {
		const name = randomUUID()
		isProblem(await post(null, payment(name), { path }), 400)
		for (const key of ['', '""', 'two words', '"open', 'open"', 'a,b', '"a" ; b', '"a\\b"', 'x'.repeat(256), `"${'x'.repeat(256)}"`]) {
			isProblem(await post(key, payment(name), { path }), 400)
		}
		const headers = new Headers([['idempotency-key', 'a'], ['idempotency-key', 'b']])
		isProblem(await fetch(service.url + path, { method: 'POST', headers, body: payment(name) })
			.then(async (response) => ({ status: response.status, headers: response.headers, body: await response.text() })), 400)
		assert.equal(await charges(name), 0)
	})

	test(`${path}: what is no payment is 400 and does not use up its key`, async () => {
		const key = randomUUID()
		for (const body of ['{', 'null', '[]', '', '{"payment": "a b", "amount": 1}', '{"payment": "x", "amount": 0}',
			'{"payment": "x", "amount": 1e999}', '{"payment": "x", "amount": "1"}', '{"payment": 1, "amount": 1}', '{"amount": 1}']) {
			isProblem(await post(key, body, { path }), 400)
		}
		assert.equal((await post(key, payment(key), { path })).status, 201)
	})
}

test('a key in quotes is the same key', async () => {
	const key = randomUUID()
	const first = await post(`"${key}"`, payment(key))
	isReplayOf(first, await post(key, payment(key)))
	const odd = `"${key} \\"\\\\,"`
	isReplayOf(await post(odd, payment(key)), await post(odd, payment(key)))
	const longest = key.padEnd(255, 'x')
	isReplayOf(await post(longest, payment(key)), await post(`"${longest}"`, payment(key)))
})

test('a key that was used on another path is 422', async () => {
	const key = randomUUID()
	await post(key, payment(key))
	isProblem(await post(key, payment(key), { path: '/transfers' }), 422)
})

test('the keys of two callers do not meet', async () => {
	const key = randomUUID()
	for (const authorization of ['Bearer one', 'Bearer two']) {
		const answer = await post(key, payment(key), { headers: { authorization } })
		assert.deepEqual([answer.status, answer.isReplayed], [201, false])
	}
	assert.equal(await charges(key), 2)
	assert.equal((await post(key, payment(key), { headers: { authorization: 'Bearer one' } })).isReplayed, true)
})

test('while the first request is open: 409 at once, with Retry-After', async () => {
	const key = randomUUID()
	const first = await whileLedgerIsLocked(async () => {
		const pending = post(key, payment(key))
		await someoneIsHeldUp()
		isInProgress(await post(key, payment(key)), 2)
		isProblem(await post(key, payment(key, 5)), 422)
		return { pending }
	})
	isReplayOf(await first.pending, await post(key, payment(key)))
	assert.equal(await charges(key), 1)
})

test('a client that hung up gets the answer with its retry', async () => {
	const key = randomUUID()
	await whileLedgerIsLocked(async () => {
		const { request, closed } = open(key)
		request.end(payment(key))
		await someoneIsHeldUp()
		request.destroy()
		await closed
		isInProgress(await post(key, payment(key)), 2)
	})
	const answer = await postUntilAnswered(key, payment(key))
	assert.equal(answer.isReplayed, true)
	assert.equal(await charges(key), 1)
})

test('a client that hung up in the middle of its body has sent nothing', async () => {
	const key = randomUUID()
	const { request, closed } = open(key, { 'content-length': payment(key).length })
	request.write(payment(key).slice(0, 10), () => request.destroy())
	await closed
	const answer = await post(key, payment(key))
	assert.deepEqual([answer.status, answer.isReplayed], [201, false])
	assert.equal(await charges(key), 1)
})

test('a database connection lost on the way is 500, and the retry is executed', async () => {
	const key = randomUUID()
	const answer = await whileLedgerIsLocked(async () => {
		const pending = post(key, payment(key))
		const { pid } = await someoneIsHeldUp()
		await database.query('SELECT pg_terminate_backend($1)', [pid])
		return pending
	})
	isProblem(answer, 500)
	assert.equal((await postUntilAnswered(key, payment(key))).isReplayed, false)
	assert.equal(await charges(key), 1)
})

test('the service is killed in the middle of a payment: the retry is executed by the next one', async () => {
	const key = randomUUID()
	const doomed = await startService()
	await whileLedgerIsLocked(async () => {
		const pending = assert.rejects(post(key, payment(key), { to: doomed }))
		await someoneIsHeldUp()
		await kill(doomed)
		await pending
	})
	const answer = await postUntilAnswered(key, payment(key))
	assert.equal(answer.isReplayed, false)
	assert.equal(await charges(key), 1)
})

test('killed in a storm, every payment is charged once', async () => {
	let cut = 0
	bank.answer = async () => (await sleep(Math.random() * 50), 200)
	for (const path of ['/payments', '/transfers']) {
		const doomed = await startService()
		const keys = Array.from({ length: 40 }, () => randomUUID())
		const lost = await storm(keys, path, doomed)
		cut += lost
		const next = await startService()
		await letLeasesRunOut()
		const answers = await Promise.all(keys.map((key) => postUntilAnswered(key, payment(key), { path, to: next })))
		await kill(next)
		assert.ok(answers.filter((answer) => !answer.isReplayed).length <= lost)
		for (const key of keys) assert.equal(await charges(key), 1)
	}
	bank.answer = async () => 200
	assert.notEqual(cut, 0)
})

// Send all, kill the service at the tenth answer; how many got none.
async function storm(keys, path, doomed) {
	let answered = 0
	const requests = await Promise.allSettled(keys.map(async (key) => {
		await post(key, payment(key), { path, to: doomed })
		if (++answered === 10) await kill(doomed)
	}))
	return requests.filter(({ status }) => status === 'rejected').length
}

function letLeasesRunOut() {
	return database.query(
		`SELECT idemstore.extend_lease(key, fence, '0.001 s', scope)
		FROM idemstore.idempotency_records
		WHERE status = 'processing' AND lease_expires_at > now()`)
}

test('while the bank is at it: 409 with what is left of the lease, and the bank is asked once', async () => {
	const key = randomUUID()
	const before = bank.asked.length
	const first = await new Promise((resolve, reject) => {
		bank.answer = async () => {
			isInProgress(await post(key, payment(key), { path: '/transfers' }), 30)
			return 200
		}
		post(key, payment(key), { path: '/transfers' }).then(resolve, reject)
	})
	bank.answer = async () => 200
	isReplayOf(first, await post(key, payment(key), { path: '/transfers' }))
	assert.equal(bank.asked.length, before + 1)
	assert.equal(await charges(key), 1)
})

test('a bank that is down is 502, and the retry asks it again at once, with the same key', async () => {
	const key = randomUUID()
	const before = bank.asked.length
	bank.answer = async () => 503
	const answer = await post(key, payment(key), { path: '/transfers' })
	bank.answer = async () => 200
	isProblem(answer, 502)
	assert.equal(answer.headers.get('retry-after'), '1')
	const retry = await post(key, payment(key), { path: '/transfers' })
	assert.deepEqual([retry.status, retry.isReplayed], [201, false])
	assert.equal(bank.asked.length, before + 2)
	assert.equal(bank.asked[before], bank.asked[before + 1])
	assert.equal(await charges(key), 1)
})

test('a transfer that was taken over charges nothing', async () => {
	const key = randomUUID()
	const successor = new pg.Client()
	await successor.connect()
	bank.answer = async () => {
		await successor.query("SELECT set_config('idemstore.test_clock', (now() + '1 min')::text, false)")
		await successor.query(
			`SELECT idemstore.complete($1, 201, '{"content-type": "text/plain"}', 'done', claim.fence, 'anonymous')
			FROM idemstore.get($1, 'anonymous') AS record,
				idemstore.start_processing($1, record.fingerprint, scope => 'anonymous') AS claim
			WHERE claim.outcome = 'started' AND claim.attempt = 2`, [key])
		return 200
	}
	const answer = await post(key, payment(key), { path: '/transfers' })
	bank.answer = async () => 200
	await successor.end()
	isInProgress(answer, 1)
	assert.equal(await charges(key), 0)
	const retry = await post(key, payment(key), { path: '/transfers' })
	assert.deepEqual([retry.status, retry.isReplayed, retry.body], [201, true, 'done'])
})

test('the service is killed while the bank is at it: the next one takes over when the lease is over', async () => {
	const key = randomUUID()
	const before = bank.asked.length
	const doomed = await startService({ LEASE_SECONDS: '1' })
	const asked = new Promise((resolve) => {
		bank.answer = () => (resolve(), new Promise(() => {}))
	})
	const pending = assert.rejects(post(key, payment(key), { path: '/transfers', to: doomed }))
	await asked
	await kill(doomed)
	await pending
	bank.answer = async () => 200
	isInProgress(await post(key, payment(key), { path: '/transfers' }), 1)
	await sleep(1000)
	const retry = await post(key, payment(key), { path: '/transfers' })
	assert.deepEqual([retry.status, retry.isReplayed], [201, false])
	assert.deepEqual(bank.asked.slice(before), [bank.asked[before], bank.asked[before]])
	assert.equal(await charges(key), 1)
})

test('told to stop, the service answers what has begun and leaves', async () => {
	const key = randomUUID()
	const leaving = await startService()
	const { pending } = await whileLedgerIsLocked(async () => {
		const pending = post(key, payment(key), { to: leaving })
		await someoneIsHeldUp()
		leaving.child.kill('SIGTERM')
		while (await fetch(leaving.url).then(() => true, () => false)) await sleep(10)
		return { pending }
	})
	assert.equal((await pending).status, 201)
	assert.deepEqual(await leaving.exit, [0, null])
	assert.equal(await charges(key), 1)
})
