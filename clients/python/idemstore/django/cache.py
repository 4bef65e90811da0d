"""A cache backend for Django:

CACHES = {"default": {"BACKEND": "idemstore.django.cache.IdemstoreCache", "LOCATION": "default"}}

LOCATION is the alias of a database. What is set in a transaction commits and rolls
back with it. Integers are kept as such, so that incr() is atomic; all else is
pickled.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.db import connections

from .. import calls
from ..calls import MISS
from ..drivers import call

_MISSING = object()


class IdemstoreCache(BaseCache):
    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._alias = location or "default"

    def _call(self, one: calls.Call[Any]) -> Any:
        return call(connections[self._alias], one)

    def _key(self, key: Any, version: int | None) -> str:
        made: str = self.make_key(key, version=version)
        self.validate_key(made)
        return made

    def _ttl(self, timeout: Any) -> float:
        """The extension's ttl: 0 is for ever, below 0 is expired already."""
        seconds = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        if seconds is None:
            return 0
        return -1 if seconds <= 0 else float(seconds)

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        made, ttl = self._key(key, version), self._ttl(timeout)
        if ttl < 0:
            return not self.has_key(key, version)
        stored = _stored(value)
        if isinstance(stored, int):
            return bool(self._call(calls.cache_add(made, stored, ttl)))
        # Bytes have no add of their own: who is told to compute is the one who adds.
        fetched = self._call(calls.cache_fetch(made))
        return fetched.outcome == "compute" and bool(self._call(calls.cache_set(made, stored, ttl, [], fetched.fence)))

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        entry = self._call(calls.cache_get(self._key(key, version), MISS))
        return default if entry is MISS else _loaded(entry)

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        self._call(calls.cache_set(self._key(key, version), _stored(value), self._ttl(timeout), []))

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return bool(self._call(calls.cache_touch(self._key(key, version), self._ttl(timeout))))

    def delete(self, key: Any, version: int | None = None) -> bool:
        return bool(self._call(calls.cache_delete(self._key(key, version))))

    def has_key(self, key: Any, version: int | None = None) -> bool:
        return self._call(calls.cache_get(self._key(key, version), MISS)) is not MISS

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        if not self.has_key(key, version):
            raise ValueError(f"Key {key!r} not found")
        return int(self._call(calls.cache_increment(self._key(key, version), delta)))

    def get_many(self, keys: Iterable[Any], version: int | None = None) -> dict[Any, Any]:
        wanted = {self._key(key, version): key for key in keys}
        entries = self._call(calls.cache_get_many(list(wanted)))
        return {key: _loaded(entry) for key, entry in zip(wanted.values(), entries) if entry is not MISS}

    def set_many(
        self, data: Mapping[Any, Any], timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> list[Any]:
        for key, value in data.items():
            self.set(key, value, timeout, version)
        return []

    def delete_many(self, keys: Iterable[Any], version: int | None = None) -> None:
        self._call(calls.cache_delete_many([self._key(key, version) for key in keys]))

    def clear(self) -> None:
        """Remove what has this backend's prefix."""
        self._call(calls.cache_clear(f"{self.key_prefix}:" if self.key_prefix else ""))


def _stored(value: Any) -> Any:
    """An int as JSON, all else as bytes."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def _loaded(entry: Any) -> Any:
    return pickle.loads(entry) if isinstance(entry, bytes) else entry
