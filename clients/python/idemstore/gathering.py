"""Calls of many tasks in few statements."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from . import calls
from .calls import Call, Duration, LimitVerdict
from .drivers import acall, alent
from .errors import NoLimitError, state_of

MOST_OUT = 2
LARGEST = 10000


class _Asked(NamedTuple):
    """A call: what it may go together with, and what it adds."""

    group: tuple[Any, ...]
    one: Any
    answer: asyncio.Future[Any]


class Gathered:
    """acquire(), consume() and cache_get() of many tasks.

    A call goes at once while fewer than two statements are out; else it gathers into
    the next one. A statement that is refused for one call's arguments or missing
    limit took nothing, and is sent again call by call: each gets its own answer.
    connect() gives an async context with a connection, as for arun_outside().
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._waiting: list[_Asked] = []
        self._out: set[asyncio.Task[None]] = set()

    async def acquire(
        self,
        resource: str,
        cost: int = 1,
        priority: str | None = None,
        quota: int | None = None,
        per: Duration = None,
        origin: str | None = None,
    ) -> bool:
        """acquire(), gathered."""
        return bool(await self._ask(("acquire", quota, per, origin), (resource, cost, priority)))

    async def consume(
        self,
        resource: str,
        cost: int = 1,
        priority: str | None = None,
        quota: int | None = None,
        per: Duration = None,
        origin: str | None = None,
    ) -> LimitVerdict:
        """consume(), gathered."""
        verdict: LimitVerdict = await self._ask(("consume", quota, per, origin), (resource, cost, priority))
        return verdict

    async def cache_get(self, key: str, default: Any = None) -> Any:
        """cache_get(), gathered."""
        entry = await self._ask(("cache_get",), key)
        return default if entry is calls.MISS else entry

    def _ask(self, group: tuple[Any, ...], one: Any) -> asyncio.Future[Any]:
        asked = _Asked(group, one, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if len(self._out) < MOST_OUT:
            task = asyncio.ensure_future(self._send_all())
            self._out.add(task)
            task.add_done_callback(self._out.discard)
        return asked.answer

    async def _send_all(self) -> None:
        while batch := self._take():
            await self._send(batch)

    def _take(self) -> list[_Asked]:
        """The call that waits longest, and all that can go with it. Who was cancelled
        takes nothing."""
        waiting = [asked for asked in self._waiting if not asked.answer.done()]
        batch = [asked for asked in waiting if asked.group == waiting[0].group][:LARGEST]
        taken = set(map(id, batch))
        self._waiting = [asked for asked in waiting if id(asked) not in taken]
        return batch

    async def _send(self, batch: list[_Asked]) -> None:
        try:
            async with alent(self._connect) as connection:
                answers = await acall(connection, _together(batch[0].group, [asked.one for asked in batch]))
        except Exception as error:
            if len(batch) > 1 and _nothing_done(error):
                for asked in batch:
                    await self._send([asked])
                return
            for asked in batch:
                if not asked.answer.done():
                    asked.answer.set_exception(error)
            return
        for asked, answer in zip(batch, answers):
            if not asked.answer.done():
                asked.answer.set_result(answer)


def _together(group: tuple[Any, ...], ones: Sequence[Any]) -> Call[Any]:
    if group[0] == "cache_get":
        return calls.cache_get_many(ones)
    function, quota, per, origin = group
    resources, costs, priorities = zip(*ones)
    given = None if set(priorities) == {None} else priorities
    if function == "acquire":
        return calls.acquire_many(resources, costs, given, quota, per, origin)
    return calls.consume_many(resources, costs, given, quota, per, origin)


def _nothing_done(error: Exception) -> bool:
    """Did the error come before anything was taken?"""
    state = state_of(error) or ""
    return state.startswith("22") or state == "54000" or isinstance(error, NoLimitError)
