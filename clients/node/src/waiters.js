// Who waits for another waits here: on few connections, so that owners are never
// short of one, and once a name for the whole process.

/** How many statements wait at once. */
const MOST = 4;

export class Waiters {
	/** @type {Map<string, Promise<void>>} the waits that are out, by name */
	#names = new Map();
	/** @type {Set<() => void>} who is told when one of them ends */
	#told = new Set();
	#most;

	/** @param {number} [most] */
	constructor(most = MOST) {
		this.#most = most;
	}

	/**
	 * One caller a name has his statement run: for him the answer is true. The
	 * others return when it ends, when a connection is free to wait on, or when the
	 * time is over, to look again.
	 *
	 * @param {string} name
	 * @param {number} longestMs
	 * @param {AbortSignal | undefined} signal
	 * @param {() => Promise<void>} onServer
	 */
	async turn(name, longestMs, signal, onServer) {
		signal?.throwIfAborted();
		if (!this.#names.has(name) && this.#names.size < this.#most) {
			const done = onServer().finally(() => {
				this.#names.delete(name);
				for (const tell of this.#told)
					tell();
			});
			this.#names.set(name, done);
			await ended(done, signal);
			return true;
		}
		await this.#next(longestMs, signal);
		return false;
	}

	/**
	 * The end of any wait, or of the time.
	 *
	 * @param {number} longestMs
	 * @param {AbortSignal | undefined} signal
	 */
	async #next(longestMs, signal) {
		await new Promise((resolve) => {
			const end = () => {
				clearTimeout(timer);
				signal?.removeEventListener('abort', end);
				this.#told.delete(end);
				resolve(undefined);
			};
			const timer = setTimeout(end, Math.min(longestMs, 2 ** 31 - 1));
			signal?.addEventListener('abort', end);
			this.#told.add(end);
		});
		signal?.throwIfAborted();
	}

	/**
	 * Wait for one's own turn: false when the time was over before.
	 *
	 * @param {string} name
	 * @param {number} waitMs
	 * @param {AbortSignal | undefined} signal
	 * @param {(longestMs: number) => Promise<void>} onServer
	 */
	async untilServed(name, waitMs, signal, onServer) {
		const deadline = performance.now() + waitMs;
		for (;;) {
			const left = deadline - performance.now();
			if (left <= 0)
				return false;
			if (await this.turn(name, left, signal, () => onServer(left)))
				return true;
		}
	}
}

/**
 * What the server says, or the signal: not every driver can end a statement.
 *
 * @param {Promise<void>} done
 * @param {AbortSignal | undefined} signal
 */
function ended(done, signal) {
	return new Promise((resolve, reject) => {
		const onAbort = () => reject(signal?.reason);
		signal?.addEventListener('abort', onAbort);
		done.then(resolve, reject).finally(() => signal?.removeEventListener('abort', onAbort));
	});
}
