// Work in flight.
import { Cache } from './cache.js';
import { sayable } from './call.js';

export class Dedupe extends Cache {
	/**
	 * Become the owner of the work, or join who is.
	 *
	 * @param {string} hash
	 * @param {{ timeoutMs?: number }} [options] from when on the owner is replaced
	 * @returns {Promise<{ jobId: string, isOwner: boolean }>}
	 */
	async dedupeRegisterOrJoin(hash, { timeoutMs } = {}) {
		return (await this.call.rows('dedupe_register_or_join', [['hash', 'text', this.call.name(hash)], ['timeout', 'ms', timeoutMs]],
			{ job_id: 'opaque', is_owner: 'plain' }))[0];
	}

	/**
	 * The job of the hash, which joins one that is pending.
	 *
	 * @param {string} hash
	 * @param {{ timeoutMs?: number }} [options]
	 * @returns {Promise<string>} its id
	 */
	dedupeRegister(hash, { timeoutMs } = {}) {
		return this.call.value('dedupe_register', [['hash', 'text', this.call.name(hash)], ['timeout', 'ms', timeoutMs]], 'opaque');
	}

	/**
	 * @param {string} hash
	 * @param {any} value
	 * @param {{ jobId?: string }} [options]
	 * @returns {Promise<boolean>} false: there is no such job, or it has ended
	 */
	async dedupeComplete(hash, value, { jobId } = {}) {
		return this.call.value('dedupe_complete', [['hash', 'text', this.call.name(hash)], ['value', 'json', sayable(value)], ['job_id', 'uuid', jobId]]);
	}

	/**
	 * @param {string} hash
	 * @param {{ error?: any, jobId?: string }} [options]
	 * @returns {Promise<boolean>}
	 */
	dedupeFail(hash, { error, jobId } = {}) {
		return this.call.value('dedupe_fail', [['hash', 'text', this.call.name(hash)], ['error', 'json', error], ['job_id', 'uuid', jobId]]);
	}

	/**
	 * Wait for the end of the job.
	 *
	 * @param {string} hash
	 * @param {{ timeoutMs?: number, jobId?: string, signal?: AbortSignal }} [options]
	 * @returns {Promise<{ outcome: 'completed' | 'failed' | 'timeout' | 'absent', value: any, error: any }>}
	 */
	async dedupeWaitFor(hash, { timeoutMs, jobId } = {}) {
		return (await this.call.rows('dedupe_wait_for', [
			['hash', 'text', this.call.name(hash)], ['timeout', 'ms', timeoutMs], ['job_id', 'uuid', jobId],
		], { outcome: 'plain', value: 'json', error: 'json' }))[0];
	}

	/**
	 * @param {string} hash
	 * @returns {Promise<boolean>}
	 */
	dedupeIsInProgress(hash) {
		return this.call.value('dedupe_is_in_progress', [['hash', 'text', this.call.name(hash)]]);
	}

	/**
	 * @param {{ prefix?: string }} [options]
	 * @returns {Promise<number>} how many there were
	 */
	dedupeClear({ prefix = '' } = {}) {
		return this.call.value('dedupe_clear', [['prefix', 'text', this.call.name(prefix)]], 'count');
	}

	/**
	 * The live jobs by prefix, in the order of their hashes.
	 *
	 * @param {import('../calls.js').Page} [page]
	 * @returns {Promise<{ hash: string, jobId: string, status: 'pending' | 'completed' | 'failed', expiresAt: Date | undefined }[]>}
	 */
	async dedupeList({ prefix = '', maxRows, after } = {}) {
		const rows = await this.call.rows('dedupe_list', this.call.page(prefix, maxRows, after),
			{ hash: 'plain', job_id: 'opaque', status: 'plain', expires_at: 'instant' });
		return rows.map((row) => ({ ...row, hash: this.call.bare(row.hash) }));
	}
}
