"""The middlewares and Django's cache, through the frameworks themselves."""

from __future__ import annotations

import asyncio

import httpx
import idemstore
import pytest
from conftest import aexecute, charges
from fastapi import FastAPI, Request, Response
from idemstore.asgi import IdempotencyMiddleware, RateLimitMiddleware
from idemstore.http import Rules


def application(apool, **options):
    app = FastAPI()
    app.state.gate = asyncio.Event()
    app.state.running = asyncio.Event()

    @app.post("/pay")
    async def pay(request: Request, status: int = 201, slow: bool = False):
        await aexecute(request.scope["idemstore"], request.headers["idempotency-key"])
        if slow:
            app.state.running.set()
            await app.state.gate.wait()
        response = Response(b"\x00\\" + await request.body(), status, {"X-Kept": "yes"})
        response.set_cookie("a", "b")
        return response

    wrapped = IdempotencyMiddleware(
        app, apool.acquire, lambda scope: httpx.QueryParams(scope["query_string"].decode()).get("tenant", ""), **options
    )
    return app, httpx.AsyncClient(app=wrapped, base_url="http://test")


async def test_idempotency(apool, watcher, key):
    outcomes = []
    app, client = application(
        apool, rules=Rules(required=True, max_body=100), on_outcome=lambda scope, claim: outcomes.append(claim.outcome)
    )
    async with client:
        headers = {"Idempotency-Key": key}
        first = await client.post("/pay?tenant=a", content=b"x", headers=headers)
        again = await client.post("/pay?tenant=a", content=b"x", headers=headers)
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.content == again.content == b"\x00\\x"
        assert "idempotent-replayed" not in first.headers and again.headers["idempotent-replayed"] == "true"
        assert "set-cookie" in first.headers and "set-cookie" not in again.headers
        assert again.headers["x-kept"] == "yes" and charges(watcher, key) == 1
        assert (await client.post("/pay?tenant=a", content=b"y", headers=headers)).status_code == 422
        assert (await client.post("/pay?tenant=b", content=b"y", headers=headers)).status_code == 201
        assert (await client.post("/pay")).status_code == 400
        assert (await client.post("/pay", content=b"x" * 101, headers=headers)).status_code == 413
        for malformed in ("k" * 256, "", '"', "a,b", '"a" b'):
            assert (await client.post("/pay", headers={"Idempotency-Key": malformed})).status_code == 400
        quoted = await client.post("/pay?tenant=a", content=b"x", headers={"Idempotency-Key": f'"{key}"'})
        assert quoted.headers["idempotent-replayed"] == "true"
        failed = {"Idempotency-Key": key + "/fails"}
        assert (await client.post("/pay?status=503", headers=failed)).status_code == 503
        assert charges(watcher, key + "/fails") == 0
        slow = {"Idempotency-Key": key + "/slow"}
        running = asyncio.ensure_future(client.post("/pay?slow=1", headers=slow))
        await app.state.running.wait()
        meanwhile = await client.post("/pay?slow=1", headers=slow)
        assert meanwhile.status_code == 409 and int(meanwhile.headers["retry-after"]) >= 1
        app.state.gate.set()
        assert (await running).status_code == 201
        assert charges(watcher, key + "/slow") == 1
    assert outcomes[:3] == ["started", "replay", "mismatch"]
    await apool.close()


async def test_a_client_that_hangs_up(apool, watcher, key):
    """The server cancels the request: nothing is charged, and the retry charges once."""
    app, client = application(apool)
    async with client:
        headers = {"Idempotency-Key": key}
        running = asyncio.ensure_future(client.post("/pay?slow=1", headers=headers))
        await app.state.running.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        app.state.gate.set()
        assert (await client.post("/pay?slow=1", headers=headers)).status_code == 201
        assert charges(watcher, key) == 1
    await apool.close()


async def test_rate_limit(apool, watcher, key):
    app = FastAPI()

    @app.get("/")
    async def root():
        return {}

    limited = RateLimitMiddleware(app, apool.acquire, lambda scope: key, quota=1, per=3600)
    async with httpx.AsyncClient(app=limited, base_url="http://test") as client:
        assert (await client.get("/")).status_code == 200
        denied = await client.get("/")
        assert (denied.status_code, denied.headers["retry-after"]) == (429, "3600")

        def broken():
            raise OSError

        for allow, status in ((False, 503), (True, 200)):
            away = RateLimitMiddleware(app, broken, lambda scope: key, allow_on_error=allow)
            async with httpx.AsyncClient(app=away, base_url="http://test") as other:
                assert (await other.get("/")).status_code == status
    await apool.close()


def test_django(watcher, key):
    from django.db import connection
    from django.test import Client

    client = Client()

    def post(path, body, key):
        return client.post(path, data=body, content_type="text/plain", HTTP_IDEMPOTENCY_KEY=key)

    first, again = (post("/pay?tenant=a", "x", key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content == b"\x00\\x"
    assert "Idempotent-Replayed" not in first and again["Idempotent-Replayed"] == "true"
    assert first.cookies and not again.cookies and again["X-Kept"] == "yes"
    assert charges(watcher, key) == 1
    assert post("/pay?tenant=a", "y", key).status_code == 422
    assert post("/pay?tenant=b", "y", key).status_code == 201
    assert post("/pay?status=503", "x", key + "/fails").status_code == 503
    assert charges(watcher, key + "/fails") == 0
    assert post("/pay", "x" * (1 << 21), key).status_code == 413
    assert b"".join(post("/stream", "", key + "/s").streaming_content) == b"ab"
    assert post("/stream", "", key + "/s").content == b"ab"
    connection.close()


def test_django_cache(watcher, key):
    from django.core.cache import cache
    from django.db import connection, transaction

    assert cache.get(key) is None and cache.get(key, "default") == "default"
    for value in (None, 0, 1, True, "a\\b", b"\x00", [1, {"a": (2,)}], {1, 2}, 1.5, 10**30):
        cache.set(key, value)
        assert cache.get(key, "miss") == value and type(cache.get(key)) is type(value)
    assert not cache.add(key, 2) and cache.add(key + "/added", "x") and not cache.add(key + "/added", "y")
    assert cache.add(key + "/number", 1) and cache.incr(key + "/number", 41) == 42 and cache.decr(key + "/number") == 41
    with pytest.raises(ValueError):
        cache.incr(key + "/absent")
    assert cache.has_key(key) and (key in cache) and key + "/absent" not in cache
    cache.set_many({key + "/1": 1, key + "/2": [2]})
    assert cache.get_many([key + "/1", key + "/2", key + "/absent"]) == {key + "/1": 1, key + "/2": [2]}
    cache.delete_many([key + "/1", key + "/2"])
    assert cache.get_many([key + "/1", key + "/2"]) == {}
    assert cache.delete(key) and not cache.delete(key)
    cache.set(key, 1, timeout=0)
    assert cache.get(key) is None
    cache.set(key, 1, timeout=-1)
    assert cache.get(key) is None
    cache.set(key, 1, timeout=None)
    assert cache.touch(key, 100) and not cache.touch(key + "/absent") and cache.get(key) == 1
    cache.set(key, "other", version=2)
    assert cache.get(key) == 1 and cache.get(key, version=2) == "other"
    assert cache.incr_version(key + "/added") == 2 and cache.get(key + "/added", version=2) == "x"
    assert cache.get_or_set(key + "/made", lambda: 7) == 7
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        cache.set(key + "/rolled back", 1)
        raise ZeroDivisionError
    assert cache.get(key + "/rolled back") is None
    idemstore.call(watcher, idemstore.cache_set("another's", 1))
    cache.clear()
    assert cache.get(key) is None and idemstore.call(watcher, idemstore.cache_get("another's")) == 1
    connection.close()
