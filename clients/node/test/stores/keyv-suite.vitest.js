// Keyv's own suite for storage adapters: 38 cases, and 4 of its iterator.
import * as vitest from 'vitest';
import Keyv from 'keyv';
import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite';
import pg from 'pg';
import { Idemstore } from 'idemstore';
import { KeyvStore } from 'idemstore/keyv';

const pool = new pg.Pool();
const idemstore = new Idemstore({ pool });
const newStore = () => new KeyvStore({ idemstore, prefix: 'suite:' });
vitest.afterAll(async () => {
	await idemstore.close();
	await pool.end();
});

keyvTestSuite(vitest, Keyv, newStore);
keyvIteratorTests(vitest, Keyv, newStore);
