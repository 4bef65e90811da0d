"""run() and run_outside(): once a key, whoever dies, waits or is cancelled."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import idemstore
import psycopg
import pytest
from conftest import DSN, aexecute, charges, execute
from idemstore import acall, call, start_processing
from psycopg_pool import ConnectionPool


def pay(connection, key, **options):
    with idemstore.run(connection, key, **options) as claim:
        if claim.is_owner:
            execute(connection, key)
            claim.complete(201, {"a": "b"}, "paid")
    return claim


async def apay(connection, key, **options):
    async with idemstore.arun(connection, key, **options) as claim:
        if claim.is_owner:
            await aexecute(connection, key)
            await claim.complete(201, {"a": "b"}, "paid")
    return claim


def test_run(connection, watcher, key):
    first = pay(connection, key, fingerprint="f", scope="tenant")
    again = pay(connection, key, fingerprint="f", scope="tenant")
    assert (first.outcome, again.outcome) == ("started", "replay")
    assert first.response == again.response == idemstore.Response(201, {"a": "b"}, b"paid")
    assert pay(connection, key, fingerprint="g", scope="tenant").outcome == "mismatch"
    assert charges(watcher, key) == 1
    assert pay(connection, key, fingerprint="f", scope="other").outcome == "started"
    close(connection)


async def test_arun(aconnection, watcher, key):
    first = await apay(aconnection, key, fingerprint="f")
    again = await apay(aconnection, key, fingerprint="f")
    assert (first.outcome, again.outcome) == ("started", "replay")
    assert charges(watcher, key) == 1
    await aconnection.close()
    if hasattr(aconnection, "engine"):
        await aconnection.engine.dispose()


def close(connection):
    """Before the watcher looks who is left."""
    connection.close()
    engine = getattr(connection, "engine", None) or getattr(connection, "bind", None)
    if engine is not None:
        engine.dispose()


def test_run_rolls_back(connection, watcher, key):
    for wrong in (ZeroDivisionError, KeyboardInterrupt):
        with pytest.raises(wrong):
            with idemstore.run(connection, key):
                execute(connection, key)
                raise wrong
    with pytest.raises(idemstore.NotCompletedError):
        with idemstore.run(connection, key):
            execute(connection, key)
    assert charges(watcher, key) == 0
    assert pay(connection, key).attempt == 1
    assert charges(watcher, key) == 1
    close(connection)


def test_decorator(watcher, key):
    @idemstore.idempotent(key=lambda name, amount: name)
    def twice(connection, name, amount):
        execute(connection, name)
        return {"amount": 2 * amount}

    with psycopg.connect(DSN) as connection:
        assert [twice(connection, key, 1), twice(connection, key, 1)] == [{"amount": 2}] * 2
    assert charges(watcher, key) == 1


async def test_async_decorator(watcher, key):
    @idemstore.aidempotent(key=lambda name: name)
    async def once(connection, name):
        await aexecute(connection, name)
        return [None]

    async with await psycopg.AsyncConnection.connect(DSN) as connection:
        assert [await once(connection, key), await once(connection, key)] == [[None]] * 2
    assert charges(watcher, key) == 1


def test_sixty_at_once_in_threads(watcher, key):
    with ConnectionPool(DSN, min_size=1, max_size=8, timeout=600) as pool:

        def one(_):
            with pool.connection() as connection:
                return pay(connection, key, wait=3600).outcome

        with ThreadPoolExecutor(60) as threads:
            outcomes = sorted(threads.map(one, range(60)))
    assert outcomes == ["replay"] * 59 + ["started"]
    assert charges(watcher, key) == 1


async def test_sixty_at_once_in_tasks(apool, watcher, key):
    async def one():
        async with apool.acquire() as connection:
            return (await apay(connection, key, wait=3600)).outcome

    outcomes = sorted(await asyncio.gather(*[one() for _ in range(60)]))
    assert outcomes == ["replay"] * 59 + ["started"]
    assert charges(watcher, key) == 1
    await apool.close()


def test_run_outside(pool, watcher, key):
    def ends():
        return watcher.execute("SELECT lease_expires_at FROM idemstore.get(%s)", [key]).fetchone()[0]

    with pytest.raises(ZeroDivisionError):
        with idemstore.run_outside(pool.connection, key, lease=0.3) as claim:
            first = ends()
            while ends() <= first:
                time.sleep(0.01)
            claim.checkpoint("half", {"id": 7})
            raise ZeroDivisionError
    with idemstore.run_outside(pool.connection, key, lease=0.3) as claim:
        assert (claim.attempt, claim.recovery_point, claim.state) == (2, "half", {"id": 7})
        with claim.finish() as last:
            execute(last.connection, key)
            last.complete(201, body="paid")
    assert claim.response.text == "paid" and charges(watcher, key) == 1
    with idemstore.run_outside(pool.connection, key) as claim:
        assert (claim.outcome, claim.response.status) == ("replay", 201)
    assert threading.active_count() < 12
    pool.close()


def test_a_lost_claim(pool, watcher, key):
    with pytest.raises(idemstore.LostClaimError):
        with idemstore.run_outside(pool.connection, key, lease=0.2) as claim:
            call(watcher, idemstore.set_value(key, "taken"))
            assert claim.lost.wait(600)
            with claim.finish() as last:
                execute(last.connection, key)
                last.complete(201)
    assert charges(watcher, key) == 0
    pool.close()


async def test_arun_outside(apool, watcher, key):
    with pytest.raises(ZeroDivisionError):
        async with idemstore.arun_outside(apool.acquire, key, lease=0.3) as claim:
            await claim.checkpoint("half")
            raise ZeroDivisionError
    async with idemstore.arun_outside(apool.acquire, key) as claim:
        assert (claim.attempt, claim.recovery_point) == (2, "half")
        async with claim.finish() as last:
            await aexecute(last.connection, key)
            await last.complete(201, body="paid")
    assert claim.response.text == "paid" and charges(watcher, key) == 1
    await apool.close()


async def test_a_lost_claim_async(apool, watcher, key):
    with pytest.raises(idemstore.LostClaimError):
        async with idemstore.arun_outside(apool.acquire, key, lease=0.2) as claim:
            call(watcher, idemstore.set_value(key, "taken"))
            await claim.lost.wait()
            async with claim.finish() as last:
                await aexecute(last.connection, key)
                await last.complete(201)
    assert charges(watcher, key) == 0
    await apool.close()


async def test_cancelled_in_every_await(apool, watcher, key):
    """Cancel after 0, 1, 2 … turns of the loop: none leaves a claim that nobody
    owns, and none charges without its response."""

    async def work(name):
        async with idemstore.arun_outside(apool.acquire, name, lease=3600) as claim:
            await asyncio.sleep(0)
            async with claim.finish() as last:
                await aexecute(last.connection, name)
                await last.complete(201)

    ended = turns = 0
    while not ended:
        name = f"{key}-{turns}"
        task = asyncio.ensure_future(work(name))
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        task.cancel()
        try:
            await task
            ended = 1
        except asyncio.CancelledError:
            pass
        charged = charges(watcher, name)
        with psycopg.connect(DSN, autocommit=True) as connection:
            verdict = call(connection, start_processing(name))
        assert (verdict.outcome, charged) in (("started", 0), ("replay", 1)), f"after {turns} turns"
        turns += 1
    assert turns > 3
    await apool.close()


async def test_cancelled_within_a_transaction(apool, watcher, key):
    turns, outcome = 0, None
    while outcome != "done":
        name = f"{key}-{turns}"

        async def work(name=name):
            async with apool.acquire() as connection:
                await apay(connection, name)

        task = asyncio.ensure_future(work())
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        task.cancel()
        try:
            await task
            outcome = "done"
        except asyncio.CancelledError:
            pass
        verdict = call(watcher, start_processing(name))
        assert (verdict.outcome, charges(watcher, name)) in (("started", 0), ("replay", 1)), f"after {turns} turns"
        turns += 1
    await apool.close()


CHILD = """
import sys, time, psycopg, idemstore
connection = psycopg.connect(sys.argv[1])
if sys.argv[3] == "outside":
    with connection:
        print(idemstore.call(connection, idemstore.start_processing(sys.argv[2], lease=0.3)).outcome, flush=True)
    time.sleep(3600)
with idemstore.run(connection, sys.argv[2]) as claim:
    connection.execute("INSERT INTO charges VALUES (%s)", [sys.argv[2]])
    print(claim.outcome, flush=True)
    time.sleep(3600)
"""


@pytest.mark.parametrize("where", ["inside", "outside"])
def test_a_killed_owner(watcher, key, where):
    process = subprocess.Popen([sys.executable, "-c", CHILD, DSN, key, where], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"started\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with psycopg.connect(DSN) as connection:
        outcome = "in_progress"
        while outcome == "in_progress":
            outcome = pay(connection, key, wait=1).outcome
    assert (outcome, charges(watcher, key)) == ("started", 1)


def test_the_server_crashes(key):
    """Crash and come back under load: whoever retries is charged once."""
    keys = [f"{key}-{n}" for n in range(60)]

    def one(name):
        while True:
            try:
                with psycopg.connect(DSN) as connection:
                    if pay(connection, name, wait=1).outcome in ("started", "replay"):
                        return
            except psycopg.Error:
                time.sleep(0.01)

    data = os.environ["PGDATA"]
    with ThreadPoolExecutor(8) as threads:
        paid = [threads.submit(one, name) for name in keys + keys]
        for _ in range(2):
            time.sleep(0.1)
            subprocess.run(
                ["pg_ctl", "-D", data, "-m", "immediate", "-w", "-l", f"{data}/crash.log", "restart"],
                check=True,
                stdout=subprocess.DEVNULL,
            )
        for future in paid:
            future.result()
    with psycopg.connect(DSN) as connection:
        assert [charges(connection, name) for name in keys] == [1] * len(keys)


def test_an_exhausted_pool(watcher, key):
    """On a pool of 2, owners and waiters that time out all end, and nothing is lost."""
    with ConnectionPool(DSN, min_size=1, max_size=2, timeout=600) as pool:

        def one(n):
            name = f"{key}-{n % 5}"
            with idemstore.run_outside(pool.connection, name) as claim:
                if claim.is_owner:
                    with claim.finish() as last:
                        execute(last.connection, name)
                        last.complete(201)
            return claim.outcome

        with ThreadPoolExecutor(50) as threads:
            outcomes = set(threads.map(one, range(100)))
    assert outcomes <= {"started", "replay", "in_progress"}
    assert [charges(watcher, f"{key}-{n}") for n in range(5)] == [1] * 5


def test_get_or_create(watcher, key):
    created = []

    def creator():
        created.append(1)
        time.sleep(0.02)
        return {"a": None}

    def one(_):
        with psycopg.connect(DSN, autocommit=True) as connection:
            return idemstore.get_or_create(connection, key, creator, ttl=3600, wait=3600)

    with ThreadPoolExecutor(20) as threads:
        assert list(threads.map(one, range(20))) == [{"a": None}] * 20
    assert len(created) == 1


async def test_aget_or_create(apool, watcher, key):
    created = []

    async def creator():
        created.append(1)
        await asyncio.sleep(0.02)
        return b"\x00"

    async def one():
        async with apool.acquire() as connection:
            return await idemstore.aget_or_create(connection, key, creator, ttl=3600, wait=3600)

    assert await asyncio.gather(*[one() for _ in range(20)]) == [b"\x00"] * 20
    assert len(created) == 1
    # What is invalidated while it is computed is given, and not stored.
    async with apool.acquire() as connection:

        async def late():
            call(watcher, idemstore.invalidate_by_tags([key]))
            return 1

        assert await idemstore.aget_or_create(connection, key + "/late", late, tags=[key]) == 1
        assert await acall(connection, idemstore.cache_get(key + "/late", "none")) == "none"
    await apool.close()


def test_forty_at_a_limit_of_five(watcher, key):
    def one(_):
        with psycopg.connect(DSN, autocommit=True) as connection:
            return call(connection, idemstore.acquire(key, quota=5, per=3600))

    with ThreadPoolExecutor(40) as threads:
        assert sum(threads.map(one, range(40))) == 5
