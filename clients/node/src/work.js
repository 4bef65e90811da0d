// Work that runs once a key: in one transaction, or around a call elsewhere.
import { AlreadyFinalError, LostClaimError, NotFoundError } from './errors.js';

const DEFAULT_LEASE_MS = 300000;

/**
 * @typedef {{ status?: number, headers?: import('./calls.js').Headers, body?: import('./calls.js').Body }} Response
 * @typedef {{ status: number | undefined, headers: any, body: Buffer | undefined }} StoredResponse
 *
 * @typedef {{
 *   outcome: import('./calls.js').Outcome, response?: StoredResponse, retryAfterMs?: number,
 *   retryAfterSeconds?: number, conflictingKey?: string, error?: any,
 * }} Result response: of started and replay, and of failed if it has one
 *
 * @typedef {import('./idemstore.js').Idemstore} Idemstore
 */

export class Claim {
	/**
	 * @param {string} key
	 * @param {string | undefined} scope
	 * @param {import('./calls.js').Verdict} verdict
	 * @param {AbortSignal} signal aborts when the claim is lost
	 * @param {import('./calls.js').Calls} calls
	 */
	constructor(key, scope, verdict, signal, calls) {
		this.key = key;
		this.scope = scope;
		this.fence = verdict.fence;
		this.attempt = verdict.attempt;
		/** How far the former attempt came, and what it left there. */
		this.recoveryPoint = verdict.recoveryPoint ?? undefined;
		this.state = verdict.checkpoint;
		this.signal = signal;
		/** Every function of the extension, in the transaction that is open, if one is. */
		this.calls = calls;
	}

	/**
	 * Note how far the work has come, for the next attempt should this one die.
	 *
	 * @param {string} recoveryPoint
	 * @param {any} [state]
	 */
	checkpoint(recoveryPoint, state) {
		return this.calls.checkpoint(this.key, recoveryPoint, { state, fence: this.fence, scope: this.scope });
	}
}

/**
 * @param {Idemstore} idemstore
 * @param {import('./executor.js').Executor} executor
 * @param {string} key
 * @param {import('./calls.js').StartOptions} options
 * @param {(client: any, claim: Claim) => Promise<Response>} work
 * @returns {Promise<Result>}
 */
export function runInTransaction(idemstore, executor, key, options, work) {
	return executor.transaction(async (client, query) => {
		const calls = idemstore.by(query);
		const verdict = await calls.start(key, options);
		if (verdict.outcome !== 'started')
			return settled(verdict);
		const claim = new Claim(key, options.scope, verdict, new AbortController().signal, calls);
		return finished(claim, options.scope, await work(client, claim));
	});
}

/**
 * @template T
 * @param {Idemstore} idemstore
 * @param {import('./executor.js').Executor} executor
 * @param {string} key
 * @param {import('./calls.js').StartOptions} options
 * @param {(claim: Claim) => Promise<T>} work
 * @param {(client: any, claim: Claim, result: T) => Promise<Response>} finish
 * @returns {Promise<Result>}
 */
export async function runOutside(idemstore, executor, key, options, work, finish) {
	const { leaseMs = DEFAULT_LEASE_MS, scope } = options;
	const verdict = await idemstore.startProcessing(key, { ...options, leaseMs });
	if (verdict.outcome !== 'started')
		return settled(verdict);
	const { fence } = verdict;
	const lost = new AbortController();
	const claim = new Claim(key, scope, verdict, lost.signal, idemstore);
	const keeper = setInterval(() => extend(idemstore, claim, leaseMs, scope, lost), leaseMs / 3);
	try {
		const result = await work(claim);
		claim.signal.throwIfAborted();
		return await executor.transaction(async (client, query) => {
			claim.calls = idemstore.by(query);
			return finished(claim, scope, await finish(client, claim, result));
		});
	} catch (error) {
		// Should this fail, the end of the lease does the same.
		await idemstore.fail(key, { retryable: true, error: { message: messageOf(error) }, fence, scope }).catch(() => {});
		throw lost.signal.aborted ? lost.signal.reason : error;
	} finally {
		clearInterval(keeper);
	}
}

/**
 * A database that cannot be reached is asked again: the claim may well outlive that.
 *
 * @param {Idemstore} idemstore
 * @param {Claim} claim
 * @param {number} leaseMs
 * @param {string | undefined} scope
 * @param {AbortController} lost
 */
async function extend(idemstore, claim, leaseMs, scope, lost) {
	try {
		await idemstore.extendLease(claim.key, claim.fence, { leaseMs, scope });
	} catch (error) {
		if (error instanceof LostClaimError)
			lost.abort(error);
		else if (error instanceof NotFoundError || error instanceof AlreadyFinalError)
			lost.abort(new LostClaimError('the claim is no longer there', { cause: error, code: 'ID412' }));
	}
}

/** @param {unknown} error */
function messageOf(error) {
	return error instanceof Error ? error.message : String(error);
}

/**
 * Store the response, in the transaction of what it is the answer to.
 *
 * @param {Claim} claim
 * @param {string | undefined} scope
 * @param {Response} [response]
 * @returns {Promise<Result>}
 */
async function finished(claim, scope, { status, headers, body } = {}) {
	await claim.calls.complete(claim.key, { responseStatus: status, responseHeaders: headers, responseBody: body, fence: claim.fence, scope });
	return { outcome: 'started', response: { status, headers, body: body === undefined ? undefined : Buffer.from(/** @type {any} */ (body)) } };
}

/**
 * @param {import('./calls.js').Verdict} verdict
 * @returns {Result}
 */
function settled(verdict) {
	/** @type {Result} */
	const result = { outcome: verdict.outcome };
	if (verdict.outcome === 'replay' || verdict.outcome === 'failed')
		result.response = { status: verdict.responseStatus ?? undefined, headers: verdict.responseHeaders, body: verdict.responseBody };
	if (verdict.outcome === 'failed')
		result.error = verdict.error;
	if (verdict.retryAfterMs !== null)
		result.retryAfterMs = verdict.retryAfterMs;
	if (verdict.retryAfterSeconds !== null)
		result.retryAfterSeconds = verdict.retryAfterSeconds;
	if (verdict.conflictingKey !== null)
		result.conflictingKey = verdict.conflictingKey;
	return result;
}
