"""Every function of the extension as a Call: a statement and how to read its rows.

Nothing here talks to a database: call() and acall() do. A duration is a timedelta
or a number of seconds. What is None is left to the function's own default.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeVar, Union
from uuid import UUID

T = TypeVar("T")
Row = Sequence[Any]
Duration = Union[timedelta, float, int, None]
Body = Union[bytes, str, None]
Headers = Union[Mapping[str, Any], Sequence[Sequence[str]], None]


class Argument(NamedTuple):
    """An argument of a function, by name, with its type in SQL."""

    name: str
    type: str
    value: Any


@dataclass(frozen=True)
class Call(Generic[T]):
    """A function, its arguments, and what is made of its rows: to be given to call()."""

    columns: str
    function: str
    arguments: Sequence[Argument]
    read: Callable[[Sequence[Row]], T]

    def statement(self, placeholder: Callable[[int], str]) -> str:
        """The SQL text; placeholder(n) is how a driver writes parameter n, from 1."""
        parameters = ", ".join(
            f"{argument.name} => CAST({placeholder(n)} AS {argument.type})"
            for n, argument in enumerate(self.arguments, 1)
        )
        return f"SELECT {self.columns} FROM idemstore.{self.function}({parameters})"

    def __bool__(self) -> bool:
        raise TypeError(f"idemstore.{self.function}() was not called: give it to call() or acall()")

    @property
    def values(self) -> list[Any]:
        return [argument.value for argument in self.arguments]


def _call(columns: str, function: str, read: Callable[[Sequence[Row]], T], *arguments: tuple[str, str, Any]) -> Call[T]:
    """Leave out what is None: the function's own default holds."""
    given = [Argument(*argument) for argument in arguments if argument[2] is not None]
    return Call(columns, function, given, read)


def _first(rows: Sequence[Row]) -> Any:
    return rows[0][0]


def _text(value: str | UUID) -> str:
    return str(value)


def _duration(value: Duration) -> timedelta | None:
    """Seconds, or a timedelta; what is not 0 never becomes 0, which is for ever."""
    if value is None or isinstance(value, timedelta):
        return value
    rounded = timedelta(seconds=value)
    if rounded == timedelta(0) and value != 0:
        return timedelta.resolution if value > 0 else -timedelta.resolution
    return rounded


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _json_or_none(value: Any) -> str | None:
    return None if value is None else _json(value)


def _headers(headers: Headers) -> str | None:
    return None if headers is None else _json(headers if isinstance(headers, Mapping) else [list(p) for p in headers])


def _body(body: Body) -> tuple[str, str, Any]:
    """A body is always sent as its bytes."""
    return ("response_body", "bytea", body.encode() if isinstance(body, str) else body)


def _bytes(value: Any) -> bytes | None:
    """psycopg 2 gives a memoryview."""
    return None if value is None else bytes(value)


def _parsed(text: str | None) -> Any:
    return None if text is None else json.loads(text)


# Idempotency records


@dataclass(frozen=True)
class Response:
    """What is stored and replayed; headers as they were given."""

    status: int | None = None
    headers: Any = None
    body: bytes | None = None

    @property
    def text(self) -> str | None:
        return None if self.body is None else self.body.decode()


@dataclass(frozen=True)
class Verdict:
    """What start_processing() decided.

    outcome: started, replay, failed, in_progress, mismatch, duplicate or abandoned.
    """

    outcome: str
    fence: int | None
    attempt: int | None
    retry_after_seconds: int | None
    conflicting_key: str | None
    response: Response | None
    error: Any
    recovery_point: str | None
    state: Any


_VERDICT = (
    "outcome, fence, attempt, retry_after_seconds, conflicting_key, response_status, response_headers::text,"
    " response_body, error::text, recovery_point, checkpoint::text"
)


def _verdict(rows: Sequence[Row]) -> Verdict:
    outcome, fence, attempt, retry, conflicting, status, headers, body, error, point, state = rows[0]
    response = None
    if outcome in ("replay", "failed"):
        response = Response(status, _parsed(headers), _bytes(body))
    return Verdict(outcome, fence, attempt, retry, conflicting, response, _parsed(error), point, _parsed(state))


def start_processing(
    key: str | UUID,
    fingerprint: str | None = None,
    ttl: Duration = None,
    scope: str = "",
    lease: Duration = None,
    wait: Duration = None,
    owner: str | None = None,
    takeover: bool = True,
    unique_fingerprint: bool = False,
    context: Any = None,
) -> Call[Verdict]:
    return _call(
        _VERDICT,
        "start_processing",
        _verdict,
        ("key", "text", _text(key)),
        ("fingerprint", "text", fingerprint),
        ("ttl", "interval", _duration(ttl)),
        ("scope", "text", scope),
        ("lease", "interval", _duration(lease)),
        ("wait", "interval", _duration(wait)),
        ("owner", "text", owner),
        ("takeover", "boolean", takeover),
        ("unique_fingerprint", "boolean", unique_fingerprint),
        ("context", "json", _json_or_none(context)),
    )


def complete(
    key: str | UUID,
    status: int | None = None,
    headers: Headers = None,
    body: Body = None,
    fence: int | None = None,
    scope: str = "",
    ttl: Duration = None,
) -> Call[bool]:
    return _call(
        "complete",
        "complete",
        _first,
        ("key", "text", _text(key)),
        ("response_status", "integer", status),
        ("response_headers", "json", _headers(headers)),
        ("fence", "bigint", fence),
        ("scope", "text", scope),
        ("ttl", "interval", _duration(ttl)),
        _body(body),
    )


def fail(
    key: str | UUID,
    error: Any = None,
    retryable: bool = False,
    status: int | None = None,
    headers: Headers = None,
    body: Body = None,
    fence: int | None = None,
    scope: str = "",
    ttl: Duration = None,
) -> Call[bool]:
    return _call(
        "fail",
        "fail",
        _first,
        ("key", "text", _text(key)),
        ("error", "json", _json_or_none(error)),
        ("retryable", "boolean", retryable),
        ("response_status", "integer", status),
        ("response_headers", "json", _headers(headers)),
        ("fence", "bigint", fence),
        ("scope", "text", scope),
        ("ttl", "interval", _duration(ttl)),
        _body(body),
    )


def release(key: str | UUID, fence: int | None = None, scope: str = "") -> Call[bool]:
    return _call(
        "release", "release", _first, ("key", "text", _text(key)), ("fence", "bigint", fence), ("scope", "text", scope)
    )


def extend_lease(key: str | UUID, fence: int, lease: Duration = None, scope: str = "") -> Call[datetime]:
    return _call(
        "extend_lease",
        "extend_lease",
        _first,
        ("key", "text", _text(key)),
        ("fence", "bigint", fence),
        ("lease", "interval", _duration(lease)),
        ("scope", "text", scope),
    )


def checkpoint(
    key: str | UUID, recovery_point: str, state: Any = None, fence: int | None = None, scope: str = ""
) -> Call[bool]:
    return _call(
        "checkpoint",
        "checkpoint",
        _first,
        ("key", "text", _text(key)),
        ("recovery_point", "text", recovery_point),
        ("state", "json", _json_or_none(state)),
        ("fence", "bigint", fence),
        ("scope", "text", scope),
    )


def assert_owner(key: str | UUID, fence: int, scope: str = "") -> Call[bool]:
    return _call(
        "assert_owner",
        "assert_owner",
        _first,
        ("key", "text", _text(key)),
        ("fence", "bigint", fence),
        ("scope", "text", scope),
    )


def fingerprint(payload: Any, exclude: Sequence[str] = ()) -> Call[str]:
    return _call(
        "fingerprint", "fingerprint", _first, ("payload", "json", _json(payload)), ("exclude", "text[]", list(exclude))
    )


def set_nx(key: str | UUID, value: bytes | str, ttl: Duration = None, scope: str = "") -> Call[bool]:
    return _call("set_nx", "set_nx", _first, *_value(key, value, ttl, scope))


def set_value(key: str | UUID, value: bytes | str, ttl: Duration = None, scope: str = "") -> Call[bool]:
    return _call("set_value", "set_value", _first, *_value(key, value, ttl, scope))


def _value(key: str | UUID, value: bytes | str, ttl: Duration, scope: str) -> list[tuple[str, str, Any]]:
    return [
        ("key", "text", _text(key)),
        ("ttl", "interval", _duration(ttl)),
        ("scope", "text", scope),
        ("value", "bytea", value.encode() if isinstance(value, str) else value),
    ]


def get_value(key: str | UUID, scope: str = "") -> Call[bytes | None]:
    return _call(
        "get_value",
        "get_value",
        lambda rows: _bytes(_first(rows)),
        ("key", "text", _text(key)),
        ("scope", "text", scope),
    )


def forget(key: str | UUID, scope: str = "") -> Call[bool]:
    return _call("forget", "forget", _first, ("key", "text", _text(key)), ("scope", "text", scope))


# Cache

MISS: Any = type("Miss", (), {"__repr__": lambda self: "MISS", "__bool__": lambda self: False})()


def _entry(value: str | None, value_bytes: Any) -> Any:
    """A JSON value, or bytes; MISS for neither, since the JSON null is None."""
    if value is not None:
        return json.loads(value)
    return MISS if value_bytes is None else bytes(value_bytes)


def cache_get_many(keys: Sequence[str]) -> Call[list[Any]]:
    return _call(
        "value::text, value_bytes",
        "cache_get_many",
        lambda rows: [_entry(*row) for row in rows],
        ("keys", "text[]", list(keys)),
    )


def cache_get(key: str, default: Any = None) -> Call[Any]:
    def read(rows: Sequence[Row]) -> Any:
        entry = _entry(*rows[0])
        return default if entry is MISS else entry

    return _call("value::text, value_bytes", "cache_get_many", read, ("keys", "text[]", [key]))


def cache_set(
    key: str, value: Any, ttl: Duration = None, tags: Sequence[str] | None = None, fence: int | None = None
) -> Call[bool]:
    """bytes are stored as they are, all else as JSON."""
    is_bytes = isinstance(value, (bytes, bytearray, memoryview))
    function = "cache_set_bytes" if is_bytes else "cache_set"
    return _call(
        function,
        function,
        _first,
        ("key", "text", key),
        ("value", "bytea", bytes(value)) if is_bytes else ("value", "json", _json(value)),
        ("ttl", "interval", _duration(ttl)),
        ("tags", "text[]", None if tags is None else list(tags)),
        ("fence", "bigint", fence),
    )


def cache_add(key: str, value: Any, ttl: Duration = None, tags: Sequence[str] | None = None) -> Call[bool]:
    return _call(
        "cache_add",
        "cache_add",
        _first,
        ("key", "text", key),
        ("value", "json", _json(value)),
        ("ttl", "interval", _duration(ttl)),
        ("tags", "text[]", None if tags is None else list(tags)),
    )


def cache_delete(key: str) -> Call[bool]:
    return _call("cache_delete", "cache_delete", _first, ("key", "text", key))


def cache_delete_many(keys: Sequence[str]) -> Call[int]:
    return _call("cache_delete_many", "cache_delete_many", _first, ("keys", "text[]", list(keys)))


def cache_clear(prefix: str = "") -> Call[int]:
    return _call("cache_clear", "cache_clear", _first, ("prefix", "text", prefix))


def cache_touch(key: str, ttl: Duration) -> Call[bool]:
    return _call("cache_touch", "cache_touch", _first, ("key", "text", key), ("ttl", "interval", _duration(ttl)))


def cache_increment(key: str, delta: int = 1, ttl: Duration = None) -> Call[int]:
    return _call(
        "cache_increment",
        "cache_increment",
        _first,
        ("key", "text", key),
        ("delta", "bigint", delta),
        ("ttl", "interval", _duration(ttl)),
    )


def invalidate_by_tags(tags: Sequence[str]) -> Call[int]:
    return _call("invalidate_by_tags", "invalidate_by_tags", _first, ("tags", "text[]", list(tags)))


@dataclass(frozen=True)
class Fetched:
    """outcome: hit, stale, compute or in_progress; value is MISS for the last two."""

    outcome: str
    value: Any
    fence: int | None


def cache_fetch(key: str, lease: Duration = None, stale: Duration = None, wait: Duration = None) -> Call[Fetched]:
    return _call(
        "outcome, value::text, value_bytes, fence",
        "cache_fetch",
        lambda rows: Fetched(rows[0][0], _entry(rows[0][1], rows[0][2]), rows[0][3]),
        ("key", "text", key),
        ("lease", "interval", _duration(lease)),
        ("stale", "interval", _duration(stale)),
        ("wait", "interval", _duration(wait)),
    )


# Dedupe


@dataclass(frozen=True)
class Job:
    """The work that the caller owns, or has joined."""

    hash: str
    id: str
    is_owner: bool


@dataclass(frozen=True)
class Done:
    """outcome: completed, failed, timeout or absent."""

    outcome: str
    value: Any
    error: Any


def dedupe_register_or_join(hash: str, timeout: Duration = None) -> Call[Job]:
    return _call(
        "job_id, is_owner",
        "dedupe_register_or_join",
        lambda rows: Job(hash, str(rows[0][0]), rows[0][1]),
        ("hash", "text", hash),
        ("timeout", "interval", _duration(timeout)),
    )


def dedupe_complete(hash: str, value: Any, job_id: str | None = None) -> Call[bool]:
    return _call(
        "dedupe_complete",
        "dedupe_complete",
        _first,
        ("hash", "text", hash),
        ("value", "json", _json(value)),
        ("job_id", "uuid", job_id),
    )


def dedupe_fail(hash: str, error: Any = None, job_id: str | None = None) -> Call[bool]:
    return _call(
        "dedupe_fail",
        "dedupe_fail",
        _first,
        ("hash", "text", hash),
        ("error", "json", _json_or_none(error)),
        ("job_id", "uuid", job_id),
    )


def dedupe_wait_for(hash: str, timeout: Duration = None, job_id: str | None = None) -> Call[Done]:
    return _call(
        "outcome, value::text, error::text",
        "dedupe_wait_for",
        lambda rows: Done(rows[0][0], _parsed(rows[0][1]), _parsed(rows[0][2])),
        ("hash", "text", hash),
        ("timeout", "interval", _duration(timeout)),
        ("job_id", "uuid", job_id),
    )


# Rate limits


@dataclass(frozen=True)
class LimitVerdict:
    """What consume() decided; retry_after_seconds is None when it can never succeed."""

    allowed: bool
    quota: int
    remaining: int
    reset_at: datetime | None
    retry_after_seconds: int | None
    policy: str | None
    reason: str
    decided_at: datetime


_LIMIT = "allowed, quota, remaining, reset_at, retry_after_seconds, policy, reason, decided_at"


def _limit_verdicts(rows: Sequence[Row]) -> list[LimitVerdict]:
    return [LimitVerdict(*row) for row in rows]


def _taking(
    resource: str, cost: int, priority: str | None, quota: int | None, per: Duration, origin: str | None = None
) -> list[tuple[str, str, Any]]:
    return [
        ("resource", "text", resource),
        ("cost", "bigint", cost),
        ("priority", "text", priority),
        ("quota", "bigint", quota),
        ("per", "interval", _duration(per)),
        ("origin", "text", origin),
    ]


def acquire(
    resource: str,
    cost: int = 1,
    priority: str | None = None,
    quota: int | None = None,
    per: Duration = None,
    origin: str | None = None,
) -> Call[bool]:
    return _call("acquire", "acquire", _first, *_taking(resource, cost, priority, quota, per, origin))


def consume(
    resource: str,
    cost: int = 1,
    priority: str | None = None,
    quota: int | None = None,
    per: Duration = None,
    origin: str | None = None,
) -> Call[LimitVerdict]:
    return _call(
        _LIMIT,
        "consume",
        lambda rows: LimitVerdict(*rows[0]),
        *_taking(resource, cost, priority, quota, per, origin),
    )


def acquire_many(
    resources: Sequence[str],
    costs: Sequence[int] | None = None,
    priorities: Sequence[str | None] | None = None,
    quota: int | None = None,
    per: Duration = None,
    origin: str | None = None,
) -> Call[list[bool]]:
    many = _many(resources, costs, priorities, quota, per, origin)
    return _call("acquire_many", "acquire_many", lambda rows: list(_first(rows)), *many)


def consume_many(
    resources: Sequence[str],
    costs: Sequence[int] | None = None,
    priorities: Sequence[str | None] | None = None,
    quota: int | None = None,
    per: Duration = None,
    origin: str | None = None,
) -> Call[list[LimitVerdict]]:
    many = _many(resources, costs, priorities, quota, per, origin)
    return _call(_LIMIT, "consume_many", _limit_verdicts, *many)


def _many(
    resources: Sequence[str],
    costs: Sequence[int] | None,
    priorities: Sequence[str | None] | None,
    quota: int | None,
    per: Duration,
    origin: str | None,
) -> list[tuple[str, str, Any]]:
    return [
        ("resources", "text[]", list(resources)),
        ("costs", "bigint[]", None if costs is None else list(costs)),
        ("priorities", "text[]", None if priorities is None else list(priorities)),
        ("quota", "bigint", quota),
        ("per", "interval", _duration(per)),
        ("origin", "text", origin),
    ]


def acquire_all(resources: Sequence[str], costs: Sequence[int] | None = None) -> Call[bool]:
    return _call(
        "acquire_all",
        "acquire_all",
        _first,
        ("resources", "text[]", list(resources)),
        ("costs", "bigint[]", None if costs is None else list(costs)),
    )


def refund(
    resource: str,
    cost: int,
    taken_at: datetime,
    priority: str | None = None,
    quota: int | None = None,
    per: Duration = None,
) -> Call[bool]:
    return _call(
        "refund",
        "refund",
        _first,
        ("taken_at", "timestamptz", taken_at),
        *_taking(resource, cost, priority, quota, per),
    )


def can_proceed(
    resource: str, cost: int = 1, priority: str | None = None, quota: int | None = None, per: Duration = None
) -> Call[bool]:
    return _call("can_proceed", "can_proceed", _first, *_taking(resource, cost, priority, quota, per))


def rate_limit_status(resource: str, quota: int | None = None, per: Duration = None) -> Call[list[LimitVerdict]]:
    return _call(
        _LIMIT,
        "rate_limit_status",
        _limit_verdicts,
        ("resource", "text", resource),
        ("quota", "bigint", quota),
        ("per", "interval", _duration(per)),
    )


def rate_limit_reset(resource: str) -> Call[bool]:
    return _call("rate_limit_reset", "rate_limit_reset", _first, ("resource", "text", resource))


def set_cooldown(origin: str, until: datetime) -> Call[bool]:
    return _call("set_cooldown", "set_cooldown", _first, ("origin", "text", origin), ("until", "timestamptz", until))


def get_cooldown(origin: str) -> Call[datetime | None]:
    return _call("get_cooldown", "get_cooldown", _first, ("origin", "text", origin))


def clear_cooldown(origin: str) -> Call[bool]:
    return _call("clear_cooldown", "clear_cooldown", _first, ("origin", "text", origin))
