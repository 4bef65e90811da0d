"""The SQL of every function that is called. The only file that knows their
arguments. A body or value goes as text at its position or as bytes by its name."""

from clock import ticks
from statement import Call


# What reads as SELECT does, so that SERIALIZABLE keeps what it read.
READS = ("cache_get", "cache_get_bytes", "cache_get_many", "cache_list", "get", "lookup", "get_value")


def literal(value):
    """A value as SQL; of a list, an array of text."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "'{" + ",".join(value) + "}'"
    return f"'{value}'"


def invoke(function, position=(), **named):
    arguments = [literal(value) for value in position]
    arguments += [f"{name} => {literal(value)}" for name, value in named.items() if value is not None]
    return f"idemstore.{function}({', '.join(arguments)})"


def scalar(function, position=(), call=None, **named):
    return Call(function, f"SELECT {invoke(function, position, **named)} AS result", **(call or {}))


def columns(function, wanted, position=(), call=None, **named):
    return Call(function, f"SELECT {wanted} FROM {invoke(function, position, **named)}", **(call or {}))


def value_of(value, is_text):
    """Its text at the position, or its bytes by name."""
    return ((value,), {}) if is_text else ((), {"value": value})


# cache


TEXT = "coalesce(value::text, convert_from(value_bytes, 'UTF8')) AS value"


def cache_get(key, **call):
    """Of bytes it is an error."""
    return scalar("cache_get", (key,), {"errors": ("42804",), **call})


def cache_get_bytes(key, **call):
    sql = f"SELECT convert_from({invoke('cache_get_bytes', (key,))}, 'UTF8') AS result"
    return Call("cache_get_bytes", sql, **call)


def cache_get_many(keys, **call):
    return columns("cache_get_many", f"key, {TEXT}", (keys,), call)


def cache_set(key, value, ttl, tags, fence=None, **call):
    return scalar("cache_set", (key, value), call, ttl=ttl, tags=tags, fence=fence)


def cache_set_bytes(key, value, ttl, tags, is_text, fence=None, **call):
    position, named = value_of(value, is_text)
    return scalar("cache_set_bytes", (key, *position), call, ttl=ttl, tags=tags, fence=fence, **named)


def cache_add(key, value, ttl, tags, **call):
    return scalar("cache_add", (key, value), call, ttl=ttl, tags=tags)


def cache_compare_and_set(key, expected, value, ttl, tags, **call):
    return scalar("cache_compare_and_set", (key, expected, value), call, ttl=ttl, tags=tags)


def cache_list(prefix, **call):
    wanted = "key, convert_from(idemstore.cache_get_bytes(key), 'UTF8') AS value"
    return columns("cache_list", wanted, (prefix, 1000), call)


def warm(key, lease, tags, name, gate, number, **call):
    """See truth.py."""
    arguments = f"'{key}', '{lease}', {literal(tags)}, t.name, t.version, '{gate}', {number}"
    sql = f"SELECT t.version, w.* FROM model.truth t, LATERAL model.warm({arguments}) w WHERE t.name = '{name}'"
    return Call("warm: one statement", sql, **call)


def cache_set_many(keys, items, ttl, tags, **call):
    listed = "ARRAY[" + ", ".join(literal(item) for item in items) + "]::json[]"
    named = "".join(f", {name} => {literal(value)}" for name, value in (("ttl", ttl), ("tags", tags)) if value is not None)
    sql = f"SELECT idemstore.cache_set_many({literal(keys)}, {listed}{named}) AS result"
    return Call("cache_set_many", sql, **call)


def cache_fetch(key, lease, stale, wait, **call):
    wanted = f"outcome, {TEXT}, fence"
    return columns("cache_fetch", wanted, (key,), call, lease=lease, stale=stale, wait=wait)


def cache_delete(key, **call):
    return scalar("cache_delete", (key,), call)


def cache_delete_many(keys, **call):
    return scalar("cache_delete_many", (keys,), call)


def cache_clear(prefix, **call):
    return scalar("cache_clear", (prefix,), call)


def invalidate_by_tag(tag, **call):
    return scalar("invalidate_by_tag", (tag,), call)


def invalidate_by_tags(tags, **call):
    return scalar("invalidate_by_tags", (tags,), call)


def cache_touch(key, ttl, **call):
    return scalar("cache_touch", (key, ttl), call)


def cache_increment(key, delta, ttl=None, **call):
    return scalar("cache_increment", (key, delta), call, ttl=ttl)


def live_entries(now):
    """Of the table; what has been removed leaves a trace without a value."""
    return (
        f"idemstore.cache_entries WHERE (expires_at IS NULL OR expires_at > '{now}') AND NOT (is_json AND value = '')"
    )


# idempotency records


def start_processing(key, call=None, **named):
    wanted = (
        "outcome, fence, attempt, response_status, convert_from(response_body, 'UTF8') AS body, error, checkpoint"
    )
    return columns("start_processing", wanted, (key,), call, **named)


def complete(key, body, fence, is_text, **call):
    named = {"response_text" if is_text else "response_body": body}
    return scalar("complete", (key, 200), call, fence=fence, **named)


def fail(key, error, retryable, fence, **call):
    return scalar("fail", (key, error), call, retryable=retryable, fence=fence)


def success(key, result, fence, **call):
    return scalar("success", (key, result), call, fence=fence)


def release(key, fence, **call):
    return scalar("release", (key,), call, fence=fence)


def extend_lease(key, fence, lease, **call):
    return Call("extend_lease", f"SELECT {ticks(invoke('extend_lease', (key, fence), lease=lease))} AS result", **call)


def checkpoint(key, state, fence, **call):
    return scalar("checkpoint", (key, "here"), call, state=state, fence=fence)


def assert_owner(key, fence, **call):
    return scalar("assert_owner", (key, fence), call)


RECORD = "key, status, fence, convert_from(response_body, 'UTF8') AS body, error"


def get(key, **call):
    return columns("get", RECORD, (key,), call)


def lookup(key, **call):
    sql = f"SELECT {RECORD} FROM {invoke('lookup', (key,))} WHERE matched = 'key'"
    return Call("lookup", sql, **call)


def wait(key, timeout, **call):
    return columns("wait", RECORD, (key, timeout), call)


def get_value(key, **call):
    return Call("get_value", f"SELECT convert_from({invoke('get_value', (key,))}, 'UTF8') AS result", **call)


def set_nx(key, value, ttl, is_text, **call):
    position, named = value_of(value, is_text)
    return scalar("set_nx", (key, *position), call, ttl=ttl, **named)


def set_value(key, value, ttl, is_text, **call):
    position, named = value_of(value, is_text)
    return scalar("set_value", (key, *position), call, ttl=ttl, **named)


def initiate(key, ttl, **call):
    return scalar("initiate", (key,), call, ttl=ttl)


def forget(key, **call):
    return scalar("forget", (key,), call)


def forget_scope(scope, **call):
    return scalar("forget_scope", (scope,), call)


RECORDS = (
    f"SELECT key, status, fence, attempt, owner, {ticks('lease_expires_at')} AS lease_end, {ticks('expires_at')} AS end,"
    " completed_at, response_status, convert_from(response_body, 'UTF8') AS body, error"
    " FROM idemstore.idempotency_records ORDER BY key, scope"
)

# dedupe


def dedupe_register_or_join(hash, timeout, **call):
    return columns("dedupe_register_or_join", "job_id, is_owner", (hash, timeout), call)


def dedupe_complete(hash, value, job, **call):
    return scalar("dedupe_complete", (hash, value), call, job_id=job)


def dedupe_fail(hash, error, job, **call):
    return scalar("dedupe_fail", (hash, error), call, job_id=job)


def dedupe_wait_for(hash, timeout, job, **call):
    return columns("dedupe_wait_for", "outcome, value, error", (hash, timeout), call, job_id=job)


def dedupe_is_in_progress(hash, **call):
    return scalar("dedupe_is_in_progress", (hash,), call)


def dedupe_clear(prefix, **call):
    return scalar("dedupe_clear", (prefix,), call)


# rate limits


def acquire(resource, cost, priority=None, **call):
    return scalar("acquire", (resource, cost), call, priority=priority)


def consume(resource, cost, priority=None, **call):
    return columns("consume", "allowed, quota, remaining, reason", (resource, cost), call, priority=priority)


def acquire_all(resources, costs, **call):
    sql = f"SELECT idemstore.acquire_all({literal(resources)}, '{{{','.join(map(str, costs))}}}') AS result"
    return Call("acquire_all", sql, **call)


def can_proceed(resource, cost, priority=None, **call):
    return scalar("can_proceed", (resource, cost), call, priority=priority)


def record_request(resource, cost, priority=None, **call):
    return scalar("record_request", (resource, cost), call, priority=priority)


def rate_limit_status(resource, **call):
    return columns("rate_limit_status", "allowed, quota, remaining, reason", (resource,), call)


def adaptive_rate_limit_status(resource, **call):
    return columns("adaptive_rate_limit_status", "user_reserved, background_max, reason", (resource,), call)


def rate_limit_reset(resource, **call):
    return scalar("rate_limit_reset", (resource,), call)


def set_cooldown(origin, until, **call):
    return scalar("set_cooldown", (origin, until), call)


def get_cooldown(origin, **call):
    return scalar("get_cooldown", (origin,), call)


def clear_cooldown(origin, **call):
    return scalar("clear_cooldown", (origin,), call)


# care


def expire(max_rows, **call):
    return columns("expire", "relation, removed", (max_rows,), call)


def expire_all(**call):
    return Call("expire_all", "CALL idemstore.expire_all()", **call)
