"""Work that runs once a key: run() in one transaction, run_outside() in two.

What is here twice, once for threads and once for asyncio, is a few lines each: the
decisions are the database's.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from . import calls
from .calls import Body, Duration, Headers, Response, Verdict
from .drivers import acall, alent, atransaction, call, lent, transaction
from .errors import AlreadyFinalError, LostClaimError, NotCompletedError, NotFoundError

T = TypeVar("T")
DEFAULT_LEASE = timedelta(minutes=5)
_GONE = (LostClaimError, NotFoundError, AlreadyFinalError)


class _Claim:
    """What was decided, and what the owner makes of it."""

    def __init__(self, key: str | UUID, scope: str, verdict: Verdict) -> None:
        self.key = key
        self.scope = scope
        self.outcome = verdict.outcome
        self.response = verdict.response
        self.retry_after_seconds = verdict.retry_after_seconds
        self.conflicting_key = verdict.conflicting_key
        self.error = verdict.error
        self.attempt = verdict.attempt
        self.recovery_point = verdict.recovery_point
        self.state = verdict.state
        self.is_final = verdict.outcome != "started"
        self._verdict = verdict

    @property
    def is_owner(self) -> bool:
        """Is the work the caller's to do?"""
        return self.outcome == "started"

    @property
    def fence(self) -> int:
        if self._verdict.fence is None:
            raise NotCompletedError(f"the outcome is {self.outcome}: there is no claim")
        return self._verdict.fence

    def _completing(self, status: int | None, headers: Headers, body: Body, ttl: Duration) -> calls.Call[bool]:
        return calls.complete(self.key, status, headers, body, self.fence, self.scope, ttl)

    def _completed(self, status: int | None, headers: Headers, body: Body) -> None:
        self.is_final = True
        self.response = Response(status, headers, body.encode() if isinstance(body, str) else body)

    def _checkpointing(self, recovery_point: str, state: Any) -> calls.Call[bool]:
        return calls.checkpoint(self.key, recovery_point, state, self.fence, self.scope)

    def _failing(self, error: Any, retryable: bool, response: Response) -> calls.Call[bool]:
        return calls.fail(
            self.key,
            error,
            retryable,
            response.status,
            response.headers,
            response.body,
            self.fence,
            self.scope,
        )

    def _extending(self, lease: Duration) -> calls.Call[Any]:
        return calls.extend_lease(self.key, self.fence, lease, self.scope)

    def _check(self) -> None:
        if not self.is_final:
            raise NotCompletedError("the work ended without complete() or fail()")


class Claim(_Claim):
    """The claim of run(): its calls are in the transaction of the work."""

    def __init__(self, connection: Any, key: str | UUID, scope: str, verdict: Verdict) -> None:
        super().__init__(key, scope, verdict)
        self.connection = connection

    def complete(
        self, status: int | None = None, headers: Headers = None, body: Body = None, ttl: Duration = None
    ) -> bool:
        """Store the response; it commits with the work."""
        changed = call(self.connection, self._completing(status, headers, body, ttl))
        self._completed(status, headers, body)
        return changed

    def fail(self, error: Any = None, retryable: bool = False, response: Response = Response()) -> bool:
        """End the attempt, for good or to be tried again."""
        changed = call(self.connection, self._failing(error, retryable, response))
        self.is_final = True
        return changed


class AsyncClaim(_Claim):
    """The claim of arun()."""

    def __init__(self, connection: Any, key: str | UUID, scope: str, verdict: Verdict) -> None:
        super().__init__(key, scope, verdict)
        self.connection = connection

    async def complete(
        self, status: int | None = None, headers: Headers = None, body: Body = None, ttl: Duration = None
    ) -> bool:
        """Store the response; it commits with the work."""
        changed = await acall(self.connection, self._completing(status, headers, body, ttl))
        self._completed(status, headers, body)
        return changed

    async def fail(self, error: Any = None, retryable: bool = False, response: Response = Response()) -> bool:
        """End the attempt, for good or to be tried again."""
        changed = await acall(self.connection, self._failing(error, retryable, response))
        self.is_final = True
        return changed


@contextmanager
def run(connection: Any, key: str | UUID, fingerprint: str | None = None, **options: Any) -> Iterator[Claim]:
    """Claim, work and response in one transaction.

    When claim.outcome is "started", do the work on the same connection, and
    claim.complete(). An exception rolls all back and comes out as it is, so that the
    next call works anew. options are those of start_processing().
    """
    with transaction(connection):
        verdict = call(connection, calls.start_processing(key, fingerprint, **options))
        claim = Claim(connection, key, options.get("scope", ""), verdict)
        yield claim
        claim._check()


@asynccontextmanager
async def arun(
    connection: Any, key: str | UUID, fingerprint: str | None = None, **options: Any
) -> AsyncIterator[AsyncClaim]:
    """run() for an async connection."""
    async with atransaction(connection):
        verdict = await acall(connection, calls.start_processing(key, fingerprint, **options))
        claim = AsyncClaim(connection, key, options.get("scope", ""), verdict)
        yield claim
        claim._check()


class OutsideClaim(_Claim):
    """The claim of run_outside(): each call takes a connection of its own."""

    def __init__(self, connect: Any, key: str | UUID, scope: str, verdict: Verdict) -> None:
        super().__init__(key, scope, verdict)
        self._connect = connect
        self.lost = threading.Event()  #: set when the claim is no longer the caller's

    def _call(self, one: calls.Call[T]) -> T:
        with lent(self._connect) as connection:
            return call(connection, one)

    def checkpoint(self, recovery_point: str, state: Any = None) -> bool:
        """Note how far the work has come, for the next attempt should this one die."""
        return self._call(self._checkpointing(recovery_point, state))

    def fail(self, error: Any = None, retryable: bool = False, response: Response = Response()) -> bool:
        """End the attempt, for good or to be tried again."""
        changed = self._call(self._failing(error, retryable, response))
        self.is_final = True
        return changed

    @contextmanager
    def finish(self) -> Iterator[Claim]:
        """A transaction for the business rows and the response: yields a claim whose
        connection and complete() are in it."""
        with lent(self._connect) as connection, transaction(connection):
            finishing = Claim(connection, self.key, self.scope, self._verdict)
            yield finishing
            finishing._check()
        self.is_final = True
        self.response = finishing.response

    def _keep(self, ended: threading.Event, lease: timedelta) -> None:
        """Extend the lease three times in its length. A database that cannot be
        reached is asked again: the claim may well outlive that."""
        while not ended.wait(lease.total_seconds() / 3):
            try:
                self._call(self._extending(lease))
            except _GONE:
                self.lost.set()
                return
            except Exception:
                continue


@contextmanager
def run_outside(
    connect: Any, key: str | UUID, fingerprint: str | None = None, lease: Duration = None, **options: Any
) -> Iterator[OutsideClaim]:
    """For work that must not hold a transaction open, such as a call to a provider.

    connect() gives a context whose connection commits when it ends: pool.connection
    of psycopg_pool, engine.begin of SQLAlchemy. The lease (5 minutes if None) is
    extended by a thread while the work goes on. End with `with claim.finish() as
    last: last.connection …; last.complete(…)`. An exception ends the attempt, so
    that the next call begins another one, with the recovery point.
    """
    kept = calls._duration(lease) or DEFAULT_LEASE
    with lent(connect) as connection:
        verdict = call(connection, calls.start_processing(key, fingerprint, lease=kept, **options))
    claim = OutsideClaim(connect, key, options.get("scope", ""), verdict)
    if not claim.is_owner:
        yield claim
        return
    ended = threading.Event()
    keeper = threading.Thread(target=claim._keep, args=(ended, kept), daemon=True)
    keeper.start()
    try:
        yield claim
        claim._check()
    except BaseException:
        with suppress(Exception):
            claim.fail(retryable=True)
        raise
    finally:
        ended.set()
        keeper.join()


class AsyncOutsideClaim(_Claim):
    """The claim of arun_outside()."""

    def __init__(self, connect: Any, key: str | UUID, scope: str, verdict: Verdict) -> None:
        super().__init__(key, scope, verdict)
        self._connect = connect
        self.lost = asyncio.Event()  #: set when the claim is no longer the caller's

    async def _call(self, one: calls.Call[T]) -> T:
        async with alent(self._connect) as connection:
            return await acall(connection, one)

    async def checkpoint(self, recovery_point: str, state: Any = None) -> bool:
        """Note how far the work has come, for the next attempt should this one die."""
        return await self._call(self._checkpointing(recovery_point, state))

    async def fail(self, error: Any = None, retryable: bool = False, response: Response = Response()) -> bool:
        """End the attempt, for good or to be tried again."""
        changed = await self._call(self._failing(error, retryable, response))
        self.is_final = True
        return changed

    @asynccontextmanager
    async def finish(self) -> AsyncIterator[AsyncClaim]:
        """As OutsideClaim.finish()."""
        async with alent(self._connect) as connection, atransaction(connection):
            finishing = AsyncClaim(connection, self.key, self.scope, self._verdict)
            yield finishing
            finishing._check()
        self.is_final = True
        self.response = finishing.response

    async def _keep(self, lease: timedelta) -> None:
        while True:
            await asyncio.sleep(lease.total_seconds() / 3)
            try:
                await self._call(self._extending(lease))
            except _GONE:
                self.lost.set()
                return
            except Exception:
                continue


async def _to_the_end(work: Awaitable[T]) -> tuple[T, bool]:
    """Await, whoever cancels meanwhile; and say whether somebody did."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
            cancelled = True
        except Exception:
            break
    return task.result(), cancelled


@asynccontextmanager
async def arun_outside(
    connect: Any, key: str | UUID, fingerprint: str | None = None, lease: Duration = None, **options: Any
) -> AsyncIterator[AsyncOutsideClaim]:
    """run_outside() for async connections: pool.connection of psycopg_pool's
    AsyncConnectionPool, pool.acquire of asyncpg, engine.begin of SQLAlchemy.

    A task that is cancelled leaves no claim behind that nobody owns.
    """
    kept = calls._duration(lease) or DEFAULT_LEASE

    async def start() -> Verdict:
        async with alent(connect) as connection:
            return await acall(connection, calls.start_processing(key, fingerprint, lease=kept, **options))

    verdict, cancelled = await _to_the_end(start())
    claim = AsyncOutsideClaim(connect, key, options.get("scope", ""), verdict)
    if cancelled:
        if claim.is_owner:
            await _to_the_end(claim._call(calls.release(key, claim.fence, claim.scope)))
        raise asyncio.CancelledError
    if not claim.is_owner:
        yield claim
        return
    keeper = asyncio.ensure_future(claim._keep(kept))
    try:
        yield claim
        claim._check()
    except BaseException:
        with suppress(Exception):
            await _to_the_end(claim.fail(retryable=True))
        raise
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper


def idempotent(key: Callable[..., str | UUID], **options: Any) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Make a function of a connection run once a key; a repetition gets its result.

    The result is kept as JSON. key gets the arguments after the connection. What is
    neither run nor replayed raises NotCompletedError.
    """

    def decorate(function: Callable[..., T]) -> Callable[..., T]:
        @functools.wraps(function)
        def once(connection: Any, *args: Any, **kwargs: Any) -> T:
            with run(connection, key(*args, **kwargs), **options) as claim:
                if claim.is_owner:
                    result = function(connection, *args, **kwargs)
                    claim.complete(body=calls._json(result))
                    return result
            replayed: T = _replayed(claim)
            return replayed

        return once

    return decorate


def aidempotent(
    key: Callable[..., str | UUID], **options: Any
) -> Callable[[Callable[..., Awaitable[T]]], Callable[..., Awaitable[T]]]:
    """idempotent() for async functions."""

    def decorate(function: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
        @functools.wraps(function)
        async def once(connection: Any, *args: Any, **kwargs: Any) -> T:
            async with arun(connection, key(*args, **kwargs), **options) as claim:
                if claim.is_owner:
                    result = await function(connection, *args, **kwargs)
                    await claim.complete(body=calls._json(result))
                    return result
            replayed: T = _replayed(claim)
            return replayed

        return once

    return decorate


def _replayed(claim: _Claim) -> Any:
    if claim.outcome == "replay" and claim.response is not None:
        return calls._parsed(claim.response.text)
    raise NotCompletedError(f"the outcome is {claim.outcome}")
