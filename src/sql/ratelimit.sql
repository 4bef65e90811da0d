-- Rate limits

CREATE FUNCTION idemstore.slots_handler(internal) RETURNS table_am_handler
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_slots_handler';
COMMENT ON FUNCTION idemstore.slots_handler(internal) IS
	'Handler of the access method idemstore_slots; not to be called.';

CREATE ACCESS METHOD idemstore_slots TYPE TABLE HANDLER idemstore.slots_handler;
COMMENT ON ACCESS METHOD idemstore_slots IS
	'one row a key, found by hash and changed in place; for tables of idemstore only';

CREATE TABLE idemstore.rate_limits (
	resource text COLLATE "C" NOT NULL,
	policy text COLLATE "C" NOT NULL,
	algorithm text COLLATE "C" NOT NULL,
	quota bigint NOT NULL,
	period interval NOT NULL,
	burst bigint,
	monitoring_window interval,
	high_activity_threshold integer,
	moderate_activity_threshold integer,
	recalculation_interval interval,
	sustained_inactivity_threshold interval,
	background_pause_on_increasing_trend boolean,
	max_user_scaling double precision,
	min_user_reserved integer,
	enforced boolean DEFAULT true NOT NULL,
	time_zone text COLLATE "C",
	CONSTRAINT rate_limits_pkey PRIMARY KEY (resource, policy),
	CONSTRAINT rate_limits_resource_check
		CHECK (pg_catalog.octet_length(resource) OPERATOR(pg_catalog.>=) 1 AND pg_catalog.octet_length(resource) OPERATOR(pg_catalog.<=) 1024),
	CONSTRAINT rate_limits_policy_check
		CHECK (pg_catalog.octet_length(policy) OPERATOR(pg_catalog.>=) 1 AND pg_catalog.octet_length(policy) OPERATOR(pg_catalog.<=) 63),
	CONSTRAINT rate_limits_algorithm_check
		CHECK (algorithm OPERATOR(pg_catalog.=) ANY ('{sliding_window,token_bucket,fixed_window,calendar_window,adaptive}'::pg_catalog.text[])),
	CONSTRAINT rate_limits_quota_check
		CHECK (quota OPERATOR(pg_catalog.>=) 0),
	CONSTRAINT rate_limits_burst_check
		CHECK (burst OPERATOR(pg_catalog.>) 0),
	-- a length that is the same at all times, but in the calendar
	CONSTRAINT rate_limits_period_check
		CHECK (period OPERATOR(pg_catalog.>) '0'::pg_catalog.interval AND period OPERATOR(pg_catalog.<=) '3653 days'::pg_catalog.interval AND (algorithm OPERATOR(pg_catalog.=) 'calendar_window' OR pg_catalog.date_trunc('month', period) OPERATOR(pg_catalog.=) '0'::pg_catalog.interval)),
	CONSTRAINT rate_limits_time_zone_check
		CHECK ((time_zone IS NOT NULL) OPERATOR(pg_catalog.=) (algorithm OPERATOR(pg_catalog.=) 'calendar_window')),
	CONSTRAINT rate_limits_adaptive_check
		CHECK (pg_catalog.num_nonnulls(monitoring_window, high_activity_threshold, moderate_activity_threshold, recalculation_interval,
			sustained_inactivity_threshold, background_pause_on_increasing_trend, max_user_scaling, min_user_reserved)
			OPERATOR(pg_catalog.=) CASE WHEN algorithm OPERATOR(pg_catalog.=) 'adaptive' THEN 8 ELSE 0 END),
	CONSTRAINT rate_limits_monitoring_window_check
		CHECK (monitoring_window OPERATOR(pg_catalog.>) '0'::pg_catalog.interval AND monitoring_window OPERATOR(pg_catalog.<=) '3653 days'::pg_catalog.interval AND pg_catalog.date_trunc('month', monitoring_window) OPERATOR(pg_catalog.=) '0'::pg_catalog.interval),
	CONSTRAINT rate_limits_recalculation_interval_check
		CHECK (recalculation_interval OPERATOR(pg_catalog.>) '0'::pg_catalog.interval AND recalculation_interval OPERATOR(pg_catalog.<=) '3653 days'::pg_catalog.interval AND pg_catalog.date_trunc('month', recalculation_interval) OPERATOR(pg_catalog.=) '0'::pg_catalog.interval),
	CONSTRAINT rate_limits_sustained_inactivity_check
		CHECK (sustained_inactivity_threshold OPERATOR(pg_catalog.>) '0'::pg_catalog.interval AND sustained_inactivity_threshold OPERATOR(pg_catalog.<=) '3653 days'::pg_catalog.interval AND pg_catalog.date_trunc('month', sustained_inactivity_threshold) OPERATOR(pg_catalog.=) '0'::pg_catalog.interval),
	CONSTRAINT rate_limits_max_user_scaling_check
		CHECK (max_user_scaling OPERATOR(pg_catalog.>) 0 AND max_user_scaling OPERATOR(pg_catalog.<) 'Infinity'::pg_catalog.float8),
	CONSTRAINT rate_limits_min_user_reserved_check
		CHECK (min_user_reserved OPERATOR(pg_catalog.>=) 0),
	CONSTRAINT rate_limits_thresholds_check
		CHECK (moderate_activity_threshold OPERATOR(pg_catalog.>) 0 AND high_activity_threshold OPERATOR(pg_catalog.>) moderate_activity_threshold)
);

-- All of them are kept in each session; of the other names there may be many.
CREATE INDEX rate_limits_pattern_idx ON idemstore.rate_limits (resource, policy)
	WHERE resource OPERATOR(pg_catalog.~~) '%*';

SELECT pg_catalog.pg_extension_config_dump('idemstore.rate_limits', '');

COMMENT ON TABLE idemstore.rate_limits IS
	'Configured rate limits, one row per resource and policy; readable by SQL, set by set_rate_limit(), set_adaptive_rate_limit() and drop_rate_limit().';
COMMENT ON COLUMN idemstore.rate_limits.resource IS 'a name, or a prefix followed by *, which stands for every name that begins so';
COMMENT ON COLUMN idemstore.rate_limits.policy IS 'names one of several limits of a resource; all of them hold';
COMMENT ON COLUMN idemstore.rate_limits.algorithm IS 'sliding_window, token_bucket, fixed_window, calendar_window or adaptive';
COMMENT ON COLUMN idemstore.rate_limits.quota IS 'requests, or units of cost, a period';
COMMENT ON COLUMN idemstore.rate_limits.period IS 'length of the window, a day being 24 hours; of a calendar_window a minute, hour, day, week, month, quarter or year';
COMMENT ON COLUMN idemstore.rate_limits.burst IS 'size of the token bucket; NULL for the quota';
COMMENT ON COLUMN idemstore.rate_limits.monitoring_window IS 'adaptive: in which user requests are counted';
COMMENT ON COLUMN idemstore.rate_limits.high_activity_threshold IS 'adaptive: so many user requests are high activity';
COMMENT ON COLUMN idemstore.rate_limits.moderate_activity_threshold IS 'adaptive: so many are moderate activity';
COMMENT ON COLUMN idemstore.rate_limits.recalculation_interval IS 'adaptive: for which a split of the quota holds';
COMMENT ON COLUMN idemstore.rate_limits.sustained_inactivity_threshold IS 'adaptive: without a user request for so long, background gets everything';
COMMENT ON COLUMN idemstore.rate_limits.background_pause_on_increasing_trend IS 'adaptive: whether high and increasing user activity pauses background';
COMMENT ON COLUMN idemstore.rate_limits.max_user_scaling IS 'adaptive: the largest factor on the share of users';
COMMENT ON COLUMN idemstore.rate_limits.min_user_reserved IS 'adaptive: the least reserved for users while activity is low';
COMMENT ON COLUMN idemstore.rate_limits.enforced IS 'false for a limit in the shadow, which denies nothing and tells what it would have denied';
COMMENT ON COLUMN idemstore.rate_limits.time_zone IS 'calendar_window: in whose calendar';

CREATE FUNCTION idemstore.rate_limits_changed() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_rate_limits_changed';
COMMENT ON FUNCTION idemstore.rate_limits_changed() IS
	'Trigger of rate_limits: has every session read it again, once the change commits.';

-- For each row, since logical replication fires no others.
CREATE TRIGGER rate_limits_changed
	AFTER INSERT OR UPDATE OR DELETE ON idemstore.rate_limits
	FOR EACH ROW EXECUTE FUNCTION idemstore.rate_limits_changed();
CREATE TRIGGER rate_limits_truncated
	AFTER TRUNCATE ON idemstore.rate_limits
	FOR EACH STATEMENT EXECUTE FUNCTION idemstore.rate_limits_changed();
ALTER TABLE idemstore.rate_limits
	ENABLE ALWAYS TRIGGER rate_limits_changed,
	ENABLE ALWAYS TRIGGER rate_limits_truncated;

CREATE UNLOGGED TABLE idemstore.rate_limit_state (
	resource text COLLATE "C" NOT NULL,
	expires_at timestamp with time zone NOT NULL,
	state bytea NOT NULL
) USING idemstore_slots;
ALTER TABLE idemstore.rate_limit_state
	ALTER COLUMN resource SET STORAGE PLAIN,
	ALTER COLUMN state SET STORAGE PLAIN;
COMMENT ON TABLE idemstore.rate_limit_state IS
	'What rate limits remember, one row per resource, changed in place: seen by all at once, not undone by ROLLBACK. A row is live exactly while now < expires_at.';
COMMENT ON COLUMN idemstore.rate_limit_state.resource IS 'what the limit is on, 1 to 1024 bytes';
COMMENT ON COLUMN idemstore.rate_limit_state.expires_at IS 'from when on the row means nothing';
COMMENT ON COLUMN idemstore.rate_limit_state.state IS 'the past requests, in a form of the extension''s own';

CREATE UNLOGGED TABLE idemstore.cooldowns (
	origin text COLLATE "C" NOT NULL,
	until timestamp with time zone NOT NULL
) USING idemstore_slots;
ALTER TABLE idemstore.cooldowns ALTER COLUMN origin SET STORAGE PLAIN;
COMMENT ON TABLE idemstore.cooldowns IS
	'Origins to be left alone, changed in place like rate_limit_state. A row is live exactly while now < until.';
COMMENT ON COLUMN idemstore.cooldowns.origin IS 'who is to be left alone, 1 to 1024 bytes';
COMMENT ON COLUMN idemstore.cooldowns.until IS 'until when';

CREATE TYPE idemstore.rate_limit_verdict AS (
	allowed boolean,
	quota bigint,
	remaining bigint,
	reset_at timestamp with time zone,
	retry_after_ms double precision,
	retry_after_seconds integer,
	policy text,
	reason text,
	decided_at timestamp with time zone
);
COMMENT ON TYPE idemstore.rate_limit_verdict IS
	'What a limit says. quota and what remains of it; reset_at: when all of it is back; retry_after_ms, retry_after_seconds (rounded up): 0 if allowed, else how long until the same call succeeds when nobody else comes, NULL if it never can; policy: which one says so, NULL for a limit given in the call; reason: ok, shadow (allowed, but a limit that is not enforced would deny), quota, quota_zero, cost_exceeds_quota, cooldown or paused; decided_at: for refund().';

CREATE TYPE idemstore.rate_limit_resource_verdict AS (
	resource text,
	allowed boolean,
	quota bigint,
	remaining bigint,
	reset_at timestamp with time zone,
	retry_after_ms double precision,
	retry_after_seconds integer,
	policy text,
	reason text,
	decided_at timestamp with time zone
);
COMMENT ON TYPE idemstore.rate_limit_resource_verdict IS
	'What a limit says of one of many resources; the columns behind it are those of rate_limit_verdict.';

CREATE TYPE idemstore.rate_limit_split AS (
	user_reserved bigint,
	background_max bigint,
	background_paused boolean,
	recent_user_activity bigint,
	reason text
);
COMMENT ON TYPE idemstore.rate_limit_split IS
	'How an adaptive limit is split between users and background. recent_user_activity: user requests in the monitoring window; reason: initial, no_user_activity_yet, sustained_inactivity, recent_inactivity, low_user_activity, moderate_user_activity or high_user_activity.';

CREATE FUNCTION idemstore.set_rate_limit(
	resource text,
	quota bigint,
	per interval,
	algorithm text DEFAULT 'sliding_window',
	burst bigint DEFAULT NULL,
	policy text DEFAULT 'default',
	enforced boolean DEFAULT true,
	time_zone text DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'idemstore_set_rate_limit_0_3';
COMMENT ON FUNCTION idemstore.set_rate_limit(text, bigint, interval, text, bigint, text, boolean, text) IS
	'Set a limit of quota a period on a resource, or on all whose names begin with the part before a final *; an exact name wins, then the longest prefix. algorithm: sliding_window, never more than quota in any window of that length; token_bucket, burst at once and quota a period; fixed_window, quota in every window on the clock, which counts weeks from Thursdays; calendar_window, quota in every minute, hour, day, week from Monday, month, quarter or year of the calendar in time_zone, by default the setting TimeZone of now, kept with it. per: at most 366 days, months for a calendar_window only. enforced false is a limit in the shadow: it decides and takes as if it were enforced, each such policy for itself, but denies nothing; consume() and stats tell what it would deny. Several policies of one resource all hold, at most 8. Any number of exact names, and at most 500 with a *. Holds for every session from its next call on, and keeps what is remembered. Two that set the same policy at once wait for each other. True if it is new or changed; what stands already is not written. Errors: 22004, 22023, 25006, 54000.';

CREATE FUNCTION idemstore.set_adaptive_rate_limit(
	resource text,
	quota bigint DEFAULT 200,
	per interval DEFAULT '1 hour',
	monitoring_window interval DEFAULT '15 minutes',
	high_activity_threshold integer DEFAULT 10,
	moderate_activity_threshold integer DEFAULT 3,
	recalculation_interval interval DEFAULT '30 seconds',
	sustained_inactivity_threshold interval DEFAULT '30 minutes',
	background_pause_on_increasing_trend boolean DEFAULT true,
	max_user_scaling double precision DEFAULT 2.0,
	min_user_reserved integer DEFAULT 5
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'idemstore_set_adaptive_rate_limit_0_3';
COMMENT ON FUNCTION idemstore.set_adaptive_rate_limit(text, bigint, interval, interval, integer, integer, interval, interval, boolean, double precision, integer) IS
	'Set a limit whose quota is split between priorities user and background by how active users are, made anew every recalculation_interval. After a long inactivity nothing is reserved for users, but as many as min_user_reserved are let in; that lasts until a user comes. It is the policy "default" of the resource, and enforced. Periods and windows: at most 366 days. True if it is new or changed; what stands already is not written. For http-client-toolkit, AdaptiveRateLimitStore. Errors: 22004, 22023, 25006, 54000.';

CREATE FUNCTION idemstore.drop_rate_limit(
	resource text,
	policy text DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'idemstore_drop_rate_limit';
COMMENT ON FUNCTION idemstore.drop_rate_limit(text, text) IS
	'Drop one policy of a resource or pattern, or all of them (NULL). True if there was one. What is remembered of requests stays. Errors: 22004, 22023, 25006, 54000.';

CREATE FUNCTION idemstore.acquire(
	resource text,
	cost bigint DEFAULT 1,
	priority text DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL,
	origin text DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_acquire_0_3';
COMMENT ON FUNCTION idemstore.acquire(text, bigint, text, bigint, interval, text) IS
	'Take cost from every limit of the resource if all that are enforced allow it, else take nothing. True if taken. Never waits for a transaction, is seen by all at once and not undone by ROLLBACK. quota and per, given together, are the limit instead of what is configured, a sliding window with a log for each per, of at most 366 days. priority: user or background (the default), for adaptive limits; not with quota and per. False also while origin is in a cooldown. cost 0 only asks. Serves http-client-toolkit, RateLimitStore.acquire. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';

CREATE FUNCTION idemstore.consume(
	resource text,
	cost bigint DEFAULT 1,
	priority text DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL,
	origin text DEFAULT NULL
) RETURNS idemstore.rate_limit_verdict
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_consume_0_3';
COMMENT ON FUNCTION idemstore.consume(text, bigint, text, bigint, interval, text) IS
	'As acquire(), and says why: the policy that denied, or one in the shadow that would have, or the one of which the least remains. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';

CREATE FUNCTION idemstore.acquire_all(
	resources text[],
	costs bigint[] DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_acquire_all_0_3';
COMMENT ON FUNCTION idemstore.acquire_all(text[], bigint[]) IS
	'Take from the configured limits of all resources, or from none. costs: one a resource, 1 each for NULL; a name that comes twice adds its costs. At most 64 resources. True if taken. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set, 54000 for too many.';

CREATE FUNCTION idemstore.acquire_many(
	resources text[],
	costs bigint[] DEFAULT NULL,
	priorities text[] DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL,
	origin text DEFAULT NULL
) RETURNS boolean[]
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_acquire_many';
COMMENT ON FUNCTION idemstore.acquire_many(text[], bigint[], text[], bigint, interval, text) IS
	'As acquire() of each resource by itself, in one call: whether it was taken, in the order given; requests of one resource follow each other. costs and priorities: one a resource, 1 and background each for NULL; a priority may be NULL. At most 10,000 resources. All arguments are checked and all limits found before anything is taken; an error after that, such as a cancel, keeps what was taken before it. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set, 54000 for too many.';

CREATE FUNCTION idemstore.consume_many(
	resources text[],
	costs bigint[] DEFAULT NULL,
	priorities text[] DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL,
	origin text DEFAULT NULL
) RETURNS SETOF idemstore.rate_limit_resource_verdict
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_consume_many';
COMMENT ON FUNCTION idemstore.consume_many(text[], bigint[], text[], bigint, interval, text) IS
	'As acquire_many(), and says why, a row a resource in the order given. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set, 54000 for too many.';

CREATE FUNCTION idemstore.refund(
	resource text,
	cost bigint,
	taken_at timestamp with time zone,
	priority text DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_refund';
COMMENT ON FUNCTION idemstore.refund(text, bigint, timestamp with time zone, text, bigint, interval) IS
	'Give back cost that was taken at taken_at and not used: decided_at of the verdict, or the clock of the server just before acquire(). The other arguments are those of that call. Every policy whose window still holds taken_at gives back at most what is counted in it: a sliding window its oldest requests, so that what others used stays; a token bucket what it has not refilled since. A taken_at ahead of the clock is now. True if something was given. Seen by all at once, not undone by ROLLBACK. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';

CREATE FUNCTION idemstore.can_proceed(
	resource text,
	cost bigint DEFAULT 1,
	priority text DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_can_proceed_0_3';
COMMENT ON FUNCTION idemstore.can_proceed(text, bigint, text, bigint, interval) IS
	'Would acquire() take it now? Takes nothing. Works in a read-only transaction, and on a standby if rate_limit_state is logged. Serves http-client-toolkit, RateLimitStore.canProceed. Errors: 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';

CREATE FUNCTION idemstore.record_request(
	resource text,
	cost bigint DEFAULT 1,
	priority text DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_record_request_0_3';
COMMENT ON FUNCTION idemstore.record_request(text, bigint, text, bigint, interval) IS
	'Count a request that was made, allowed or not. True. Serves http-client-toolkit, RateLimitStore.record. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';

CREATE FUNCTION idemstore.get_wait_time(
	resource text,
	cost bigint DEFAULT 1,
	priority text DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL
) RETURNS interval
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_get_wait_time_0_3';
COMMENT ON FUNCTION idemstore.get_wait_time(text, bigint, text, bigint, interval) IS
	'How long until acquire() would take it if nobody else came: 0 if now, NULL if never. Serves http-client-toolkit, RateLimitStore.getWaitTime. Errors: 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';

CREATE FUNCTION idemstore.rate_limit_status(
	resource text,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL
) RETURNS SETOF idemstore.rate_limit_verdict
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_rate_limit_status_0_3';
COMMENT ON FUNCTION idemstore.rate_limit_status(text, bigint, interval) IS
	'What every policy of the resource says of a request of cost 1, the tightest first. Takes nothing. Serves http-client-toolkit, RateLimitStore.getStatus. Errors: 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';

CREATE FUNCTION idemstore.adaptive_rate_limit_status(
	resource text
) RETURNS idemstore.rate_limit_split
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_adaptive_rate_limit_status';
COMMENT ON FUNCTION idemstore.adaptive_rate_limit_status(text) IS
	'How the adaptive limit of the resource is split now. Errors: 22004, 22023, 54000, ID428 when it has none.';

CREATE FUNCTION idemstore.rate_limit_reset(
	resource text
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_rate_limit_reset';
COMMENT ON FUNCTION idemstore.rate_limit_reset(text) IS
	'Forget all requests on the resource; configuration and cooldowns stay. True if there were any. Errors: 22004, 22023, 25006, 54000.';

CREATE FUNCTION idemstore.rate_limit_clear(
	prefix text
) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_rate_limit_clear';
COMMENT ON FUNCTION idemstore.rate_limit_clear(text) IS
	'Forget all requests on resources whose names begin with the prefix, byte for byte; an empty one is all. Configuration and cooldowns stay. Returns on how many there were any. Errors: 22004, 25006, 54000.';

CREATE FUNCTION idemstore.rate_limit_list(
	prefix text DEFAULT '',
	max_rows integer DEFAULT 100
) RETURNS TABLE (
	resource text,
	policy text,
	quota bigint,
	remaining bigint,
	reset_at timestamp with time zone
)
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_rate_limit_list';
COMMENT ON FUNCTION idemstore.rate_limit_list(text, integer) IS
	'The resources whose names begin with the prefix, byte for byte, and of which requests are remembered: a row a policy, the least remaining first, and last, with NULLs, those whose limit comes with the call. At most max_rows. Reads the whole table, and locks nothing for longer than a look. Errors: 22004, 22023, 54000.';

CREATE FUNCTION idemstore.set_cooldown(
	origin text,
	until timestamp with time zone
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_set_cooldown_0_3';
COMMENT ON FUNCTION idemstore.set_cooldown(text, timestamp with time zone) IS
	'Deny acquire() and consume() with this origin until then. The last one set wins, even if it is shorter; one that is over is none. At most ten years ahead. True if that changes anything. Seen by all at once, not undone by ROLLBACK. Errors: 22004, 22023, 25006, 54000.';

CREATE FUNCTION idemstore.get_cooldown(
	origin text
) RETURNS timestamp with time zone
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_get_cooldown';
COMMENT ON FUNCTION idemstore.get_cooldown(text) IS
	'Until when the origin is in a cooldown, NULL if it is not. Errors: 22004, 22023, 54000.';

CREATE FUNCTION idemstore.clear_cooldown(
	origin text
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_clear_cooldown';
COMMENT ON FUNCTION idemstore.clear_cooldown(text) IS
	'End the cooldown of the origin. True if there was one. Errors: 22004, 22023, 25006, 54000.';

CREATE FUNCTION idemstore.cooldown_list(
	prefix text DEFAULT '',
	max_rows integer DEFAULT 100
) RETURNS TABLE (
	origin text,
	until timestamp with time zone
)
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_cooldown_list';
COMMENT ON FUNCTION idemstore.cooldown_list(text, integer) IS
	'The origins whose names begin with the prefix, byte for byte, and that are in a cooldown, the longest first. At most max_rows. Errors: 22004, 22023, 54000.';
