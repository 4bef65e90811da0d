// The bank that /transfers calls, for the storm and the tests: slow, down at
// times, and it executes a transfer once for each Idempotency-Key.
//
// Environment: PORT.

import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const accepted = new Set()

const server = createServer(async (request, response) => {
	request.resume()
	await sleep(5 + Math.random() * 60)
	const isDown = Math.random() < 0.05
	if (!isDown) accepted.add(request.headers['idempotency-key'])
	response.writeHead(isDown ? 503 : 200).end()
})

server.listen(process.env.PORT ?? 3001, '127.0.0.1', () => {
	console.log(`listening on port ${server.address().port}`)
})

process.on('SIGTERM', () => {
	server.close()
	server.closeAllConnections()
})
