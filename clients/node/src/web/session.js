// A handler that runs once a key, where the framework says when it begins and when
// it has answered: run() and runOutside() turned inside out.
import { LostClaimError } from '../errors.js';
import { inProgress } from './rules.js';

/**
 * @typedef {import('./rules.js').Answer} Answer
 * @typedef {import('../work.js').Result} Result
 */

/** Rolls back work whose answer is sent and not stored. */
class NotStored extends Error {}

/** @template T */
function deferred() {
	/** @type {(value: T) => void} */
	let resolve = () => {};
	/** @type {(reason: unknown) => void} */
	let reject = () => {};
	const promise = /** @type {Promise<T>} */ (new Promise((...both) => { [resolve, reject] = both; }));
	// Who does not look at it is told otherwise.
	promise.catch(() => {});
	return { promise, resolve, reject };
}

/** What a handler gets that owns its key. */
export class Session {
	#begin;
	#end;

	/**
	 * @param {import('../work.js').Claim} claim
	 * @param {() => Promise<any>} begin
	 * @param {(answer: Answer | undefined) => Promise<Answer>} end
	 */
	constructor(claim, begin, end) {
		this.claim = claim;
		this.#begin = begin;
		this.#end = end;
	}

	/**
	 * The transaction that commits with the response: a client of pg, or what the
	 * executor's transaction() gives. Begin it after calls to others, not before.
	 *
	 * @returns {Promise<any>}
	 */
	begin() {
		return this.#begin();
	}

	/**
	 * Store the answer and commit; what is to be sent. Without an answer, give up.
	 *
	 * @param {Answer} [answer]
	 */
	end(answer) {
		return this.#end(answer);
	}
}

/**
 * Claim the key: a session for its owner, the result for all others.
 *
 * @param {import('./rules.js').Rules<any>} rules
 * @param {import('../calls.js').StartOptions & { key: string }} which
 * @returns {Promise<{ session?: Session, result: Result }>}
 */
export async function open(rules, which) {
	const opened = /** @type {ReturnType<typeof deferred<{ session?: Session, result: Result }>>} */ (deferred());
	const wanted = /** @type {ReturnType<typeof deferred<void>>} */ (deferred());
	const begun = /** @type {ReturnType<typeof deferred<any>>} */ (deferred());
	const answered = /** @type {ReturnType<typeof deferred<Answer | undefined>>} */ (deferred());
	/** @type {(claim: import('../work.js').Claim) => void} */
	const own = (claim) => opened.resolve({
		result: { outcome: 'started' },
		session: new Session(claim, () => (wanted.resolve(), begun.promise), async (answer) => {
			answered.resolve(answer);
			return ended(rules, claim, done, answer);
		}),
	});
	const finish = async (/** @type {any} */ client) => {
		begun.resolve(client);
		return kept(rules, await answered.promise);
	};

	const options = { ...rules.options, ...which };
	/** @type {Promise<Result>} */
	const done = rules.transaction
		? rules.idemstore.run(options, (client, claim) => (own(claim), finish(client)))
		: rules.idemstore.runOutside(options, (claim) => (own(claim), Promise.race([wanted.promise, answered.promise])), { finish });
	done.then((result) => opened.resolve({ result }), (error) => (opened.reject(error), begun.reject(error)));
	return opened.promise;
}

/**
 * @param {import('./rules.js').Rules<any>} rules
 * @param {import('../work.js').Claim} claim
 * @param {Promise<Result>} done
 * @param {Answer | undefined} answer
 * @returns {Promise<Answer>}
 */
async function ended({ idemstore, storeStatus, transaction }, { key, fence, scope }, done, answer) {
	try {
		await done;
	} catch (error) {
		if (error instanceof LostClaimError)
			return inProgress(1);
		// What was not to be stored is told as it is, whatever it came of.
		if (answer && storeStatus(answer.status))
			throw error;
		// A refusal did nothing, so the key may come with another body; after an
		// error nobody knows, and it may not.
		if (error instanceof NotStored && !transaction && answer && answer.status < 500)
			await idemstore.release(key, { fence, scope }).catch(() => {});
	}
	return /** @type {Answer} */ (answer);
}

/**
 * What is stored of an answer.
 *
 * @param {import('./rules.js').Rules<any>} rules
 * @param {Answer | undefined} answer
 * @returns {import('../work.js').Response}
 */
function kept({ storeStatus, omitted }, answer) {
	if (!answer || !storeStatus(answer.status))
		throw new NotStored('the answer is not stored');
	return { ...answer, headers: answer.headers.filter(([name]) => !omitted.has(name.toLowerCase())) };
}
