// DedupeStore of http-client-toolkit.
import { LONGEST_WAIT_MS, NamedStore, isUnsayable, slice, walk } from '../store.js';

// The longest timeout of a job, for one that is to have none.
const LONGEST_JOB_MS = 31 * LONGEST_WAIT_MS;

/** @template [T=unknown] */
export class DedupeStore extends NamedStore {
	#timeoutMs;
	#waitMs;
	/**
	 * complete() and fail() are not told which job is meant: the jobs that this
	 * store owns, by hash.
	 *
	 * @type {Map<string, string>}
	 */
	#owned = new Map();

	/**
	 * @param {import('../store.js').NamedStoreOptions & {
	 *   jobTimeoutMs?: number,
	 *   timeoutMs?: number,
	 * }} options jobTimeoutMs: from when on an owner is replaced, none with 0 or
	 *   less; timeoutMs: how long waitFor() waits, as long as the job may take by
	 *   default
	 */
	constructor({ jobTimeoutMs = 300000, timeoutMs, ...options }) {
		super(options, 'http:');
		this.#timeoutMs = jobTimeoutMs > 0 ? Math.min(jobTimeoutMs, LONGEST_JOB_MS) : LONGEST_JOB_MS;
		this.#waitMs = Math.min(timeoutMs ?? this.#timeoutMs, LONGEST_WAIT_MS);
	}

	/**
	 * The result; undefined where there is none, whatever the reason: who is told
	 * so registers next, and meets what is wrong there.
	 *
	 * @param {string} hash
	 * @returns {Promise<T | undefined>}
	 */
	async waitFor(hash) {
		try {
			const { outcome, value } = await this.idemstore.dedupeWaitFor(this.nameOf(hash), { timeoutMs: this.#waitMs });
			return outcome === 'completed' ? value : undefined;
		} catch {
			return undefined;
		}
	}

	/**
	 * @param {string} hash
	 * @returns {Promise<string>}
	 */
	async register(hash) {
		return (await this.registerOrJoin(hash)).jobId;
	}

	/**
	 * @param {string} hash
	 * @returns {Promise<{ jobId: string, isOwner: boolean }>}
	 */
	async registerOrJoin(hash) {
		const { jobId, isOwner } = await this.idemstore.dedupeRegisterOrJoin(this.nameOf(hash), { timeoutMs: this.#timeoutMs });
		if (isOwner)
			this.#owned.set(hash, jobId);
		return { jobId, isOwner };
	}

	/**
	 * Changes nothing where there is no such job, or it has ended.
	 *
	 * @param {string} hash
	 * @param {T} value
	 */
	async complete(hash, value) {
		// For what JSON has no word, who waits gets undefined.
		if (isUnsayable(value))
			await this.#end(hash, (name, jobId) => this.idemstore.dedupeFail(name, { jobId }));
		else
			await this.#end(hash, (name, jobId) => this.idemstore.dedupeComplete(name, value, { jobId }));
	}

	/**
	 * Who waits gets undefined. Changes nothing where complete() would not.
	 *
	 * @param {string} hash
	 * @param {Error} error
	 */
	async fail(hash, error) {
		const reason = { name: error?.name, message: error?.message ?? String(error) };
		await this.#end(hash, (name, jobId) => this.idemstore.dedupeFail(name, { error: reason, jobId }));
	}

	/**
	 * @param {string} hash
	 * @param {(name: string, jobId?: string) => Promise<boolean>} end
	 */
	async #end(hash, end) {
		const jobId = this.#owned.get(hash);
		await end(this.nameOf(hash), jobId);
		if (this.#owned.get(hash) === jobId)
			this.#owned.delete(hash);
	}

	/**
	 * @param {string} hash
	 * @returns {Promise<boolean>}
	 */
	isInProgress(hash) {
		return this.idemstore.dedupeIsInProgress(this.nameOf(hash));
	}

	/** @param {string} [scope] a literal beginning of hashes; all of this store without */
	async clear(scope = '') {
		await this.idemstore.dedupeClear({ prefix: this.nameOf(scope) });
		for (const hash of this.#owned.keys())
			if (hash.startsWith(scope))
				this.#owned.delete(hash);
	}

	async getStats() {
		/** @type {Record<string, number>} */
		const count = { pending: 0, completed: 0, failed: 0 };
		for await (const { status } of this.#jobs())
			count[status]++;
		return {
			totalJobs: count.pending + count.completed + count.failed,
			pendingJobs: count.pending,
			completedJobs: count.completed,
			failedJobs: count.failed,
			expiredJobs: 0,
		};
	}

	/** In the order of their hashes; expiresAt in epoch milliseconds. */
	async listJobs(offset = 0, limit = 50) {
		const jobs = await slice(this.#jobs(), offset, limit);
		return jobs.map(({ hash, jobId, status, expiresAt }) => ({
			hash: this.keyOf(hash),
			jobId,
			status,
			expiresAt: Number(expiresAt),
		}));
	}

	#jobs() {
		return walk((page) => this.idemstore.dedupeList({ prefix: this.prefix, ...page }), 'hash');
	}

	destroy() {
		return this.close();
	}
}
