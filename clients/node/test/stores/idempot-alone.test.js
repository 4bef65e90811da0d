// IdempotencyStore of idempot where @idempot/core is not installed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdempotencyStore } from 'idemstore/idempot';
import { errorOf, newPool } from './support.js';

test('a rival is an error of the same name', async (t) => {
	const store = new IdempotencyStore({ pool: newPool(t), scope: 'alone' });
	await store.startProcessing('k', 'f', 60000);
	const error = await errorOf(store.startProcessing('k', 'f', 60000));
	assert.equal(error.name, 'IdempotencyKeyExistsError');
});
