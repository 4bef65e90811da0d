"""A value that is computed by one caller at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from . import calls
from .calls import Duration
from .drivers import acall, call


class InProgressError(Exception):
    """Another one computes the value, for longer than the wait."""


def get_or_create(
    connection: Any,
    key: str,
    creator: Callable[[], Any],
    ttl: Duration = None,
    tags: Sequence[str] | None = None,
    lease: Duration = None,
    stale: Duration = None,
    wait: Duration = 10,
) -> Any:
    """Get the value, or have one caller create it while the others wait.

    creator must read what it computes from after it is called. What was invalidated
    meanwhile is given to the caller and not stored.
    """
    fetched = call(connection, calls.cache_fetch(key, lease, stale, wait))
    if fetched.outcome == "in_progress":
        raise InProgressError("the value is being computed elsewhere")
    if fetched.outcome != "compute":
        return fetched.value
    value = creator()
    call(connection, calls.cache_set(key, value, ttl, tags, fetched.fence))
    return value


async def aget_or_create(
    connection: Any,
    key: str,
    creator: Callable[[], Awaitable[Any]],
    ttl: Duration = None,
    tags: Sequence[str] | None = None,
    lease: Duration = None,
    stale: Duration = None,
    wait: Duration = 10,
) -> Any:
    """get_or_create() for an async connection."""
    fetched = await acall(connection, calls.cache_fetch(key, lease, stale, wait))
    if fetched.outcome == "in_progress":
        raise InProgressError("the value is being computed elsewhere")
    if fetched.outcome != "compute":
        return fetched.value
    value = await creator()
    await acall(connection, calls.cache_set(key, value, ttl, tags, fetched.fence))
    return value
