// What the tests of the stores share. A test has names of its own, so that
// they need no clean database.
import { newPool } from '../support.js';

export { errorOf, newPool } from '../support.js';

/**
 * A pool of one connection, in which time stands still.
 *
 * @returns {Promise<{ pool: pg.Pool, moveOn: (seconds: number) => Promise<void> }>}
 */
export async function newClock(t) {
	const pool = newPool(t, { max: 1 });
	let now = 0;
	const moveOn = async (seconds) => {
		now += seconds;
		await pool.query("SELECT set_config('idemstore.test_clock', (timestamp '2030-01-01' + make_interval(secs => $1))::text || '+00', false)", [now]);
	};
	await moveOn(0);
	return { pool, moveOn };
}

/** A store that closes with the test, before its pool ends. */
export function closing(t, store) {
	t.after(() => store.close());
	return store;
}

/** A role's pool that has one level of privileges. */
export async function newRolePool(t, level) {
	const owner = newPool(t, { max: 1 });
	const role = `stores_${level}`;
	await owner.query(`DROP ROLE IF EXISTS ${role}`).catch(() => {});
	await owner.query(`DO $$ BEGIN CREATE ROLE ${role} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`);
	await owner.query('SELECT idemstore.grant_usage($1, $2)', [role, level]);
	return newPool(t, { user: role });
}
