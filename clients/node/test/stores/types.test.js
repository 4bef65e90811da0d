// The stores have the types that the libraries ask for: types/stores.ts compiles.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');

test('the types of the stores are those of the libraries', async () => {
	const said = await new Promise((resolve) => {
		execFile(process.execPath, [compiler, '--project', 'types'], { cwd: fileURLToPath(new URL('.', import.meta.url)) },
			(error, output) => resolve(output || (error?.message ?? '')));
	});
	assert.equal(said, '');
});
