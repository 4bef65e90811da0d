// A retry storm over HTTP: every payment is sent several times at once; some
// requests carry another body, some clients hang up before the answer comes.
// Whoever got no answer, or a 409, sends it again. The table at the end is
// counted here, the charges in the ledger.
//
//	SERVICE_URL=http://localhost:3000 node storm.js
//
// The exit status is 0 if every payment was charged exactly once.

import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

const payments = 400
const timesSent = 4
const clients = 12
const hangUps = 0.1
const otherBodies = 0.1

const service = process.env.SERVICE_URL
const agent = new http.Agent({ keepAlive: true, maxSockets: clients * timesSent })
const run = Date.now().toString(36)
const counts = { sent: 0, executed: 0, replayed: 0, inProgress: 0, mismatch: 0, bankDown: 0, hungUp: 0, wrong: 0 }
const names = Array.from({ length: payments }, (_, number) => `pay-${run}-${number}`)

// One request; undefined when the client hung up.
function post(name, amount, hangUpAfter) {
	counts.sent++
	const path = name.endsWith('7') ? '/transfers' : '/payments'
	return new Promise((resolve, reject) => {
		const request = http.request(service + path, {
			agent, method: 'POST', headers: { 'content-type': 'application/json', 'idempotency-key': name },
		}, (response) => {
			const chunks = []
			response.on('data', (chunk) => chunks.push(chunk))
			response.on('end', () => resolve({
				status: response.statusCode,
				isReplayed: response.headers['idempotent-replayed'] === 'true',
				body: Buffer.concat(chunks).toString(),
			}))
		})
		let hasHungUp = false
		request.on('error', (error) => hasHungUp ? resolve(undefined) : reject(error))
		request.end(JSON.stringify({ payment: name, amount }))
		if (hangUpAfter !== undefined) {
			setTimeout(() => {
				hasHungUp = true
				request.destroy(new Error('hung up'))
			}, hangUpAfter)
		}
	})
}

function count(answer) {
	if (!answer) counts.hungUp++
	else if (answer.status === 201) counts[answer.isReplayed ? 'replayed' : 'executed']++
	else if (answer.status === 409) counts.inProgress++
	else if (answer.status === 422) counts.mismatch++
	else if (answer.status === 502) counts.bankDown++
	else complain(`unexpected answer ${answer.status} ${answer.body}`)
}

function complain(what) {
	if (++counts.wrong <= 20) console.error(what)
}

// Retry until there is an answer, and return its body.
async function insist(name) {
	for (;;) {
		const hangUpAfter = Math.random() < hangUps ? Math.random() * 15 : undefined
		const answer = await post(name, 9.99, hangUpAfter)
		count(answer)
		if (answer?.status === 201) return answer.body
		if (answer && ![409, 502].includes(answer.status)) return `status ${answer.status}`
		// A real client would heed Retry-After; this one is in a hurry.
		await sleep(5 + Math.random() * 30)
	}
}

async function settle(name) {
	const bodies = await Promise.all(Array.from({ length: timesSent }, () => insist(name)))
	if (new Set(bodies).size > 1) complain(`${name} was answered in different ways`)
	if (Math.random() < otherBodies) {
		const answer = await post(name, 5)
		count(answer)
		if (answer.status !== 422) complain(`${name} with another body is ${answer.status}`)
	}
}

async function charges() {
	const database = new pg.Client()
	await database.connect()
	const { rows } = await database.query(
		`SELECT min(times)::int AS least, max(times)::int AS most
		FROM (
			SELECT count(ledger.payment) AS times
			FROM unnest($1::text[]) AS sent (payment)
			LEFT JOIN ledger USING (payment)
			GROUP BY sent.payment) AS charges`, [names])
	await database.end()
	return rows[0]
}

function report({ least, most }) {
	const lines = [
		['requests sent', counts.sent, ''],
		['  executed', counts.executed, '201'],
		['  replayed', counts.replayed, '201 with Idempotent-Replayed'],
		['  refused as in progress', counts.inProgress, '409 with Retry-After; then sent again'],
		['  refused as mismatch', counts.mismatch, '422, another body under a used key'],
		['  the bank was down', counts.bankDown, '502; then sent again'],
		['  never answered', counts.hungUp, 'the client hung up; then sent again'],
	]
	for (const [label, value, remark] of lines) {
		console.log(`${label.padEnd(36)}${value.toLocaleString('en').padStart(8)}   ${remark}`.trimEnd())
	}
	console.log(`\ncharges per payment: least ${least}, most ${most}`)
}

console.log(`${payments} payments over HTTP, each sent ${timesSent} times at once, some with another body, some by clients
that hang up in the middle, one in ten through a bank that is down at times.\n`)
const waiting = [...names]
await Promise.all(Array.from({ length: clients }, async () => {
	while (waiting.length > 0) await settle(waiting.pop())
}))
agent.destroy()
const { least, most } = await charges()
report({ least, most })
process.exitCode = least === 1 && most === 1 && counts.wrong === 0 ? 0 : 1
