"""Which of many databases a key belongs to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


def shard(key: str, shards: int) -> int:
    """Say which of so many shards, 0 to shards - 1, a key belongs to.

    As idemstore.shard() in SQL: jump consistent hash (Lamping and Veach) over the
    first eight bytes of the SHA-256 of the key's UTF-8.
    """
    if shards < 1:
        raise ValueError("the number of shards must be at least 1")
    state = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    found, after = -1, 0
    while after < shards:
        found = after
        state = (state * 2862933555777941757 + 1) & 0xFFFFFFFFFFFFFFFF
        after = int((found + 1) * (2**31 / ((state >> 33) + 1)))
    return found


class Sharded(Generic[T]):
    """Choose the database of a key: pools, engines or whatever stands for one.

    The whole transaction goes there: claim, business rows and response. The number
    of databases must not change while they have records.
    """

    def __init__(self, databases: Sequence[T]) -> None:
        if not databases:
            raise ValueError("there must be at least one database")
        self._databases = list(databases)

    def of(self, key: str) -> T:
        """The database of the key."""
        return self._databases[shard(key, len(self._databases))]
