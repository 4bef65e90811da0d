// The stores have the types that the libraries ask for.
import type { RateLimitPluginOptions } from '@fastify/rate-limit';
import type { Store } from 'express-rate-limit';
import type { KeyvStoreAdapter } from 'keyv';
import { RateLimitStore as ExpressStore } from 'idemstore/express-rate-limit';
import { rateLimitStore } from 'idemstore/fastify-rate-limit';
import { AdaptiveRateLimitStore, CacheStore, DedupeStore, RateLimitStore } from 'idemstore/http-client-toolkit';
import { IdempotencyStore } from 'idemstore/idempot';
import { KeyvStore } from 'idemstore/keyv';
import { StorageAdapter, waitCallback } from 'idemstore/litert';

const pool = {};

export const store: Store = new ExpressStore({ pool });
export const options: RateLimitPluginOptions = { store: rateLimitStore({ pool }) };
export const adapter: KeyvStoreAdapter = new KeyvStore({ pool, prefix: 'k:' });

// Those of http-client-toolkit, as far as its client calls them.
type Cache<T> = {
	get(hash: string): Promise<T | undefined>;
	set(hash: string, value: T, ttlSeconds: number): Promise<void>;
	delete(hash: string): Promise<void>;
	clear(scope?: string): Promise<void>;
	setWithTags(hash: string, value: T, ttlSeconds: number, tags: Array<string>): Promise<void>;
	invalidateByTag(tag: string): Promise<number>;
	invalidateByTags(tags: Array<string>): Promise<number>;
};
type Dedupe<T> = {
	waitFor(hash: string): Promise<T | undefined>;
	register(hash: string): Promise<string>;
	registerOrJoin?(hash: string): Promise<{ jobId: string; isOwner: boolean }>;
	complete(hash: string, value: T): Promise<void>;
	fail(hash: string, error: Error): Promise<void>;
	isInProgress(hash: string): Promise<boolean>;
	clear?(scope?: string): Promise<void>;
};
type Limits = {
	acquire?(resource: string, priority?: 'user' | 'background'): Promise<boolean>;
	canProceed(resource: string, priority?: 'user' | 'background'): Promise<boolean>;
	record(resource: string, priority?: 'user' | 'background'): Promise<void>;
	getStatus(resource: string): Promise<{ remaining: number; resetTime: Date; limit: number }>;
	reset(resource: string): Promise<void>;
	getWaitTime(resource: string, priority?: 'user' | 'background'): Promise<number>;
	setCooldown?(origin: string, untilMs: number): Promise<void>;
	getCooldown?(origin: string): Promise<number | undefined>;
	clearCooldown?(origin: string): Promise<void>;
	setResourceConfig?(resource: string, config: { limit: number; windowMs: number }): void;
};
export const cache: Cache<{ a: 1 }> = new CacheStore<{ a: 1 }>({ pool });
export const anyCache: Cache<unknown> = new CacheStore({ pool });
export const dedupe: Dedupe<number> = new DedupeStore<number>({ pool, waitPool: pool, jobTimeoutMs: 1000 });
export const limits: Limits = new RateLimitStore({ pool, resourceConfigs: new Map([['r', { limit: 1, windowMs: 1000 }]]) });
export const adaptive: Limits = new AdaptiveRateLimitStore({ pool, adaptiveConfig: { maxUserScaling: 3 } });

type Response = { status: number; headers: Record<string, string>; body: string };
type Found = { key: string; fingerprint: string; status: 'processing' | 'complete'; response?: Response; expiresAt: number };
type Idempotency = {
	lookup(key: string, fingerprint: string): Promise<{ byKey: Found | null; byFingerprint: Found | null }>;
	startProcessing(key: string, fingerprint: string, ttlMs: number): Promise<void>;
	complete(key: string, response: Response): Promise<void>;
	close(): Promise<void>;
};
export const idempotency: Idempotency = new IdempotencyStore({ pool, scope: 's', leaseMs: 1000 });

type Stored = { key: string; status: number; context?: unknown; result?: string | Buffer };
type Storage = {
	create(record: Stored): Promise<boolean>;
	get(key: string): Promise<Stored | null>;
	update(record: Stored): Promise<void>;
};
const storageAdapter = new StorageAdapter({ pool, scope: 's', ttl: 1000 });
export const storage: Storage = storageAdapter;
export const wait: (key: string, manager: { get(key: string): Promise<unknown> }) => Promise<unknown> = waitCallback(storageAdapter, { timeoutMs: 1000 });
