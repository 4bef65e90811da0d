// A process of its own: run WHAT KEY.
import pg from 'pg';
import { Idemstore } from '../src/index.js';
import { charge } from './support.js';

const [what, key] = process.argv.slice(2);
const pool = new pg.Pool({ max: 5 });
const idemstore = new Idemstore({ pool });
const forever = () => new Promise(() => setInterval(() => {}, 1000));

if (what === 'run') {
	const results = await Promise.all(Array.from({ length: 30 }, () => idemstore.run({ key, waitMs: 3600000 }, charge)));
	process.send(results.map((result) => result.outcome));
	await idemstore.close();
	await pool.end();
	process.disconnect();
} else if (what === 'inside') {
	await idemstore.run({ key }, async (client, claim) => {
		await charge(client, claim);
		process.send('started');
		return forever();
	});
} else {
	await idemstore.startProcessing(key, { leaseMs: 300 });
	process.send('started');
	await forever();
}
