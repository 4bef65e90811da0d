// Stores for http-client-toolkit.
export { AdaptiveRateLimitStore } from './adaptive.js';
export { CacheStore } from './cache.js';
export { DedupeStore } from './dedupe.js';
export { RateLimitStore } from './limits.js';
