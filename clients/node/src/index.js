/** @module idemstore */
export { Idemstore } from './idemstore.js';
export {
	AlreadyFinalError, IdemstoreError, LostClaimError, NoLimitError, NotFoundError, TooLargeError, WaitTimeoutError,
} from './errors.js';
export { shard } from './shard.js';
