// Every function of the extension that a program calls, as a method. Durations are
// milliseconds under names that end in Ms; what is undefined is left to the
// function's own default. Results are flat objects; a miss is undefined.
import { Call } from './calls/call.js';
import { Limits } from './calls/limits.js';

/**
 * @typedef {string | Buffer | Uint8Array} Body
 * @typedef {{ [name: string]: any } | [string, string][]} Headers
 * @typedef {{ scope?: string }} Scoped
 * @typedef {{ fence?: string, scope?: string }} Fenced fence: as start gave it
 *
 * @typedef {{
 *   fingerprint?: string, ttlMs?: number, leaseMs?: number, waitMs?: number, owner?: string,
 *   takeover?: boolean, uniqueFingerprint?: boolean, context?: any, scope?: string, signal?: AbortSignal,
 * }} StartOptions
 *
 * @typedef {'started' | 'replay' | 'failed' | 'in_progress' | 'mismatch' | 'duplicate' | 'abandoned'} Outcome
 *
 * @typedef {{
 *   outcome: Outcome, fence: string, attempt: number, retryAfterMs: number | null, retryAfterSeconds: number | null,
 *   conflictingKey: string | null, responseStatus: number | null, responseHeaders: any, responseBody: Buffer | undefined,
 *   error: any, recoveryPoint: string | null, checkpoint: any,
 * }} Verdict
 *
 * @typedef {{
 *   responseStatus?: number, responseHeaders?: Headers, responseText?: string, responseBody?: Body,
 *   fence?: string, scope?: string, ttlMs?: number,
 * }} Completion
 *
 * @typedef {{
 *   key: string, scope: string, fingerprint: string | null, status: 'processing' | 'abandoned' | 'complete' | 'failed',
 *   fence: string, attempt: number, owner: string | null, leaseExpiresAt: Date | undefined, expiresAt: Date | undefined,
 *   createdAt: Date | undefined, completedAt: Date | undefined, responseStatus: number | null, responseHeaders: any,
 *   responseBody: Buffer | undefined, error: any, context: any, recoveryPoint: string | null, checkpoint: any,
 * }} IdempotencyRecord
 *
 * @typedef {{ ttlMs?: number, tags?: string[], fence?: string }} Setting ttlMs: 0 never expires, below 0 is over already
 *
 * @typedef {{ cost?: number, priority?: 'user' | 'background', quota?: number, perMs?: number, origin?: string }} Taking
 *
 * @typedef {{
 *   allowed: boolean, quota: number, remaining: number, resetAt: Date | undefined, retryAfterMs: number | null,
 *   retryAfterSeconds: number | null, policy: string | null, reason: string, decidedAt: Date | undefined,
 * }} LimitVerdict
 *
 * @typedef {{ costs?: number[], priorities?: (string | undefined)[], quota?: number, perMs?: number, origin?: string }} Many
 *
 * @typedef {{ prefix?: string, maxRows?: number, after?: string }} Page
 */

export class Calls extends Limits {
	/**
	 * The same calls by another query, as in a transaction of the caller's own.
	 *
	 * @param {import('./executor.js').Query} query
	 */
	by(query) {
		return new Calls(new Call(query, this.call.prefix, this.call.scope));
	}
}
