"""Each driver sends and takes what the functions need."""

from __future__ import annotations

import asyncio
import uuid
from datetime import datetime, timedelta, timezone

import idemstore
import pytest
from idemstore import MISS, Call, acall, call
from idemstore.calls import Argument
from psycopg import Connection

BODIES = [None, b"", b'{"path":"C:\\\\dir"}', b"\x00", b"\xc3\x28", bytes(range(256)) * 20480]

VECTORS = {
    "": [0, 1, 2, 5, 22, 22],
    "a": [0, 1, 1, 1, 50, 912],
    "order-1": [0, 1, 2, 10, 10, 214],
    "ключ": [0, 1, 2, 2, 63, 324],
    "user/42": [0, 0, 0, 0, 48, 806],
}


def test_shard():
    for key, shards in VECTORS.items():
        assert [idemstore.shard(key, n) for n in (1, 2, 4, 16, 64, 1000)] == shards
    with pytest.raises(ValueError):
        idemstore.shard("a", 0)
    assert idemstore.Sharded(["first", "second"]).of("order-1") == "second"


def test_a_call_that_is_not_made_is_no_answer():
    with pytest.raises(TypeError, match="acall"):
        assert idemstore.acquire("a")


@pytest.mark.parametrize("body", BODIES, ids=lambda body: str(body and len(body)))
def test_bodies(connection, key, body):
    verdict = call(connection, idemstore.start_processing(key, "f", ttl=timedelta(hours=1), lease=1.5, wait=0))
    assert (verdict.outcome, verdict.attempt) == ("started", 1)
    headers = [("a", "\\"), ("a", "2")]
    assert call(connection, idemstore.complete(key, 201, headers, body, verdict.fence))
    assert not call(connection, idemstore.complete(key, 201, headers, body, verdict.fence))
    replay = call(connection, idemstore.start_processing(key, "f"))
    assert replay.outcome == "replay"
    assert replay.response == idemstore.Response(201, [["a", "\\"], ["a", "2"]], body)
    assert call(connection, idemstore.start_processing(key, "g")).outcome == "mismatch"


@pytest.mark.parametrize("body", BODIES, ids=lambda body: str(body and len(body)))
async def test_bodies_async(aconnection, key, body):
    verdict = await acall(aconnection, idemstore.start_processing(key, "f", ttl=timedelta(hours=1), lease=1.5))
    assert await acall(aconnection, idemstore.complete(key, 201, {"a": "\\"}, body, verdict.fence))
    replay = await acall(aconnection, idemstore.start_processing(key, "f"))
    assert replay.response == idemstore.Response(201, {"a": "\\"}, body)


def test_errors(connection, key):
    def raises(kind, one, connection=connection):
        with pytest.raises(kind) as caught, idemstore.drivers.transaction(connection):
            call(connection, one)
        assert caught.value.__cause__ is not None

    with idemstore.drivers.transaction(connection):
        fence = call(connection, idemstore.start_processing(key)).fence
    raises(idemstore.LostClaimError, idemstore.complete(key, fence=fence - 1))
    raises(idemstore.NotFoundError, idemstore.complete(key + "/absent"))
    raises(idemstore.NoLimitError, idemstore.acquire(key))
    with idemstore.drivers.transaction(connection):
        call(connection, idemstore.complete(key, 200, fence=fence))
    raises(idemstore.AlreadyFinalError, idemstore.complete(key, 201, fence=fence))
    with pytest.raises(Exception) as caught, idemstore.drivers.transaction(connection):
        call(connection, idemstore.start_processing(key, lease=timedelta(days=32)))
    assert idemstore.errors.state_of(caught.value) == "22023"
    assert not isinstance(caught.value, idemstore.IdemstoreError)


def everything(key):
    """Each function once, and what it gives."""
    hour = timedelta(hours=1)
    uid = uuid.uuid4()
    yield idemstore.start_processing(uid, owner="me", context={"a": []}), lambda v: v.outcome == "started"
    yield idemstore.release(uid), True
    yield idemstore.set_nx(key, "a\\b", hour), True
    yield idemstore.set_value(key, b"\x00"), False
    yield idemstore.get_value(key), b"\x00"
    yield idemstore.get_value(key + "/absent"), None
    yield idemstore.forget(key), True
    yield idemstore.fingerprint({"b": 1.0, "a": "\\", "at": 1}, ["at"]), lambda f: len(f) == 64
    yield idemstore.cache_get(key), None
    yield idemstore.cache_set(key, [], hour, ["t", 'a"\\,{}']), True
    yield idemstore.cache_get(key), []
    yield idemstore.cache_add(key, 1), False
    yield idemstore.cache_set(key + "/null", None), True
    yield idemstore.cache_set(key + "/bytes", b"\x00\\"), True
    yield idemstore.cache_get(key + "/bytes"), b"\x00\\"
    yield idemstore.cache_get_many([key, key + "/null", key + "/bytes", key + "/no"]), [[], None, b"\x00\\", MISS]
    yield idemstore.cache_touch(key, 10), True
    yield idemstore.cache_increment(key + "/n", 5, hour), 5
    yield idemstore.invalidate_by_tags(["t", "no such"]), 1
    yield idemstore.cache_delete(key), False
    yield idemstore.cache_delete_many([key + "/n", key + "/no"]), 1
    yield idemstore.cache_fetch(key, wait=0), lambda f: f.outcome == "compute" and f.value is MISS
    yield idemstore.cache_clear(key), 2
    yield idemstore.dedupe_register_or_join(key, hour), lambda job: job.is_owner
    yield idemstore.dedupe_wait_for(key, timedelta()), lambda done: done.outcome == "timeout"
    yield idemstore.dedupe_complete(key, {"a": None}), True
    yield idemstore.dedupe_wait_for(key), idemstore.Done("completed", {"a": None}, None)
    yield idemstore.dedupe_register_or_join(key, hour), lambda job: job.is_owner
    yield idemstore.dedupe_fail(key, "no"), True
    yield idemstore.acquire(key, quota=1, per=hour), True
    yield idemstore.acquire(key, quota=1, per=3600), False
    yield idemstore.consume(key, quota=1, per=hour), lambda v: (v.allowed, v.reason) == (False, "quota")
    yield idemstore.consume(key, 2, quota=1, per=hour), lambda v: v.retry_after_seconds is None
    yield idemstore.refund(key, 1, datetime.now(timezone.utc), quota=1, per=hour), True
    yield idemstore.can_proceed(key, quota=1, per=hour), True
    yield idemstore.rate_limit_status(key, 1, hour), lambda s: s[0].remaining == 1
    yield idemstore.acquire_many([key, key], [1, 1], quota=1, per=hour), [True, False]
    yield idemstore.consume_many([key], quota=1, per=hour), lambda v: [one.reason for one in v] == ["quota"]
    yield idemstore.rate_limit_reset(key), True
    yield idemstore.set_cooldown(key, datetime.now(timezone.utc) + hour), True
    yield idemstore.get_cooldown(key), lambda until: until is not None
    yield idemstore.clear_cooldown(key), True
    yield idemstore.get_cooldown(key), None


def fits(given, expected):
    return expected(given) if callable(expected) else given == expected and type(given) is type(expected)


def test_every_function(connection, key):
    for one, expected in everything(key):
        given = call(connection, one)
        assert fits(given, expected), f"{one.function}: {given!r}"


async def test_every_function_async(aconnection, key):
    for one, expected in everything(key):
        given = await acall(aconnection, one)
        assert fits(given, expected), f"{one.function}: {given!r}"


def test_a_duration_is_never_rounded_to_for_ever(watcher: Connection, key):
    for ttl in (-1e-9, -1):
        call(watcher, idemstore.cache_set(key, 1, ttl))
        assert call(watcher, idemstore.cache_get(key, MISS)) is MISS
    call(watcher, idemstore.cache_set(key, 1, 1e-9))
    eventually_gone = False
    while not eventually_gone:
        eventually_gone = call(watcher, idemstore.cache_get(key, MISS)) is MISS


async def test_ten_thousand_gathered(apool, watcher, key):
    """A tenth of them wrong in one way or another: each gets its own answer."""
    call(watcher, Call("set_rate_limit", "set_rate_limit", limit_of(key + "/even/*", 1), bool))
    call(watcher, Call("set_rate_limit", "set_rate_limit", limit_of(key + "/odd/*", 0), bool))
    gathered = idemstore.Gathered(apool.acquire)

    def one(i):
        if i % 20 == 10:
            return gathered.acquire(key + "/unknown")
        return gathered.acquire(f"{key}/{('even', 'odd')[i % 2]}/{i}", -1 if i % 20 == 11 else 1)

    answers = await asyncio.gather(*[one(i) for i in range(10000)], return_exceptions=True)
    for i, answer in enumerate(answers):
        if i % 20 == 10:
            assert isinstance(answer, idemstore.NoLimitError)
        elif i % 20 == 11:
            assert idemstore.errors.state_of(answer) == "22023"
        else:
            assert answer is (i % 2 == 0), i
    verdicts = await asyncio.gather(*[gathered.consume(key, quota=2, per=60) for _ in range(4)])
    assert sorted(verdict.allowed for verdict in verdicts) == [False, False, True, True]
    call(watcher, idemstore.cache_set(key, None))
    assert await asyncio.gather(gathered.cache_get(key, 1), gathered.cache_get(key + "/no", 1)) == [None, 1]
    # Who was cancelled before his turn takes nothing.
    tasks = [asyncio.ensure_future(gathered.acquire(key + "/c", quota=1000, per=60)) for _ in range(100)]
    for task in tasks[::2]:
        task.cancel()
    assert sum(1 for answer in await asyncio.gather(*tasks, return_exceptions=True) if answer is True) == 50
    used = call(watcher, idemstore.rate_limit_status(key + "/c", 1000, 60))[0]
    assert used.quota - used.remaining == 50
    await apool.close()


def limit_of(resource, quota):
    return [Argument("resource", "text", resource), Argument("quota", "bigint", quota), Argument("per", "interval", timedelta(hours=1))]


def test_limiter(watcher, key):
    limiter = idemstore.RateLimiter(watcher)
    limit = idemstore.Limit.parse("2 per 15 minutes")
    assert limit == idemstore.Limit(2, timedelta(minutes=15))
    assert [limiter.hit(limit, key, "user") for _ in range(3)] == [True, True, False]
    assert not limiter.test(limit, key, "user") and limiter.hit(limit, key, "other")
    assert limiter.clear(limit, key, "user") and limiter.hit(limit, key, "user", cost=2)
    with pytest.raises(ValueError):
        idemstore.Limit.parse("many")
