// The errors of the extension. The driver's own is the cause.

export class IdemstoreError extends Error {
	/**
	 * @param {string} message
	 * @param {{ cause?: unknown, code?: string }} [options]
	 */
	constructor(message, { cause, code } = {}) {
		super(message, { cause });
		this.name = new.target.name;
		/** The SQLSTATE. */
		this.code = code;
	}
}

/** There is no such live record. */
export class NotFoundError extends IdemstoreError {}
/** A wait timed out. */
export class WaitTimeoutError extends IdemstoreError {}
/** The claim was taken over, or given up. */
export class LostClaimError extends IdemstoreError {}
/** The value is above what a setting allows. */
export class TooLargeError extends IdemstoreError {}
/** The record is final already, with other content. */
export class AlreadyFinalError extends IdemstoreError {}
/** No limit is configured for the resource, and none came with the call. */
export class NoLimitError extends IdemstoreError {}

/** @type {Record<string, typeof IdemstoreError>} */
const CLASSES = {
	ID404: NotFoundError,
	ID408: WaitTimeoutError,
	ID412: LostClaimError,
	ID413: TooLargeError,
	ID425: AlreadyFinalError,
	ID428: NoLimitError,
};

/**
 * The SQLSTATE of any driver's error: some keep the server's in a cause, or in
 * the details of their own.
 *
 * @param {any} error
 * @returns {string | undefined}
 */
export function stateOf(error) {
	for (let at = error, depth = 0; at && depth < 5; at = at.cause, depth++)
		for (const code of [at.meta?.driverAdapterError?.cause?.originalCode, at.meta?.code, at.originalCode, at.code])
			if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code))
				return code;
	return undefined;
}

/**
 * The extension's own class for its errors; all others as they are.
 *
 * @param {any} error
 */
export function named(error) {
	const code = stateOf(error);
	const Class = code === undefined || error instanceof IdemstoreError ? undefined : CLASSES[code];
	return Class ? new Class(error.message, { cause: error, code }) : error;
}
