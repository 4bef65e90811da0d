"""Rate limits with the shape of the package limits: an item, and who is counted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from . import calls
from .drivers import acall, call

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


@dataclass(frozen=True)
class Limit:
    """So many requests in any window of that length."""

    amount: int
    per: timedelta

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Read such as "10/minute" or "100 per 15 minutes"."""
        match = re.fullmatch(r"\s*(\d+)\s*(?:/|per)\s*(\d+)?\s*(second|minute|hour|day)s?\s*", text)
        if match is None:
            raise ValueError(f"{text!r} is no limit such as '10/minute' or '100 per 15 minutes'")
        amount, count, unit = match.groups()
        return cls(int(amount), timedelta(seconds=int(count or 1) * _SECONDS[unit]))

    def get_expiry(self) -> float:
        return self.per.total_seconds()

    def key_for(self, *identifiers: str) -> str:
        return "/".join([*identifiers, str(self.amount), f"{self.per.total_seconds():g}"])


class RateLimiter:
    """hit(), test() and clear() on a connection; item is a Limit, or one of limits."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def hit(self, item: Any, *identifiers: str, cost: int = 1) -> bool:
        """Take from the limit; False, and nothing is taken, when it has too little left."""
        return call(self._connection, _taking(item, identifiers, cost))

    async def ahit(self, item: Any, *identifiers: str, cost: int = 1) -> bool:
        """hit() for an async connection."""
        return await acall(self._connection, _taking(item, identifiers, cost))

    def test(self, item: Any, *identifiers: str, cost: int = 1) -> bool:
        """Would hit() be let in?"""
        taking = calls.can_proceed(item.key_for(*identifiers), cost, quota=item.amount, per=item.get_expiry())
        return call(self._connection, taking)

    def clear(self, item: Any, *identifiers: str) -> bool:
        """Forget what was taken."""
        return call(self._connection, calls.rate_limit_reset(item.key_for(*identifiers)))


def _taking(item: Any, identifiers: tuple[str, ...], cost: int) -> calls.Call[bool]:
    return calls.acquire(item.key_for(*identifiers), cost, quota=item.amount, per=item.get_expiry())
