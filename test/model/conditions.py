"""Stores that have a condition: there is nothing, or this very value."""

import json

import calls
from clock import instant
from family import Family
from freshness import KEYS


class Conditions(Family):
    unlogged = ("swapped",)

    def __init__(self, driver, cache):
        super().__init__(driver)
        self.cache = cache
        self.fresh = cache.fresh
        self.swapped = {}

    def committed(self, effect, tx):
        former = self.swapped.get(effect.name)
        self.driver.history.check(
            "one of many swaps a value",
            former is None,
            lambda: f"{former} and {tx}: {effect.statement}",
            self.fresh.about(effect.key),
            effect.statement,
        )
        self.swapped[effect.name] = tx

    def add(self, session):
        key, versions = yield from self.change(session)
        if versions is None:
            return
        write, ttl, names = self.new_write(key, versions)
        found = {}
        had_own = f"k:{key}" in session.tx.names
        call = calls.cache_add(key, write.value, ttl, write.tags, names=names, before=lambda _: found.update(self.look(key)))
        statement = yield call
        write.statement = statement
        is_stored = self.stored(session, write, statement)
        if not statement.is_quiet or had_own:
            return
        if is_stored:
            is_right = found["is_live"] == "f"
            self.check("cache_add stores where nothing is", is_right, key, statement)
        elif found["is_live"] == "f":
            self.fresh.refused_unfenced(write, statement)

    def look(self, key):
        live = calls.live_entries(instant(self.driver.clock.now))
        return self.driver.control.query(f"SELECT EXISTS (SELECT FROM {live} AND key = '{key}') AS is_live")[0]

    def swap(self, session):
        live = calls.live_entries(instant(self.driver.clock.now))
        rows = self.driver.control.query(f"SELECT key FROM {live} AND key = ANY ({calls.literal(self.fresh.keys)}) ORDER BY key")
        if not rows:
            return
        key, versions = yield from self.change(session, self.driver.rng.choice(rows)["key"])
        if versions is None:
            return
        statement = yield calls.cache_get(key, about=self.fresh.about(key))
        expected = statement.row["result"]
        if expected is None:
            return
        self.fresh.read(key, expected, statement, statement.snapshot)
        write, ttl, names = self.new_write(key, versions)
        statement = yield calls.cache_compare_and_set(key, expected, write.value, ttl, write.tags, names=names)
        write.statement = statement
        if self.stored(session, write, statement):
            session.tx.add(self, "swapped", json.loads(expected)["w"], statement, key=key)

    def change(self, session, key=None):
        """The truth; a key whose names could all be locked, and their versions."""
        key = key or self.driver.rng.choice(self.fresh.keys)
        versions = yield from self.driver.truth.change(session, KEYS[key])
        return key, versions if len(versions) == len(KEYS[key]) else None

    def new_write(self, key, versions):
        tags = self.cache.some_tags(key)
        ttl = self.driver.rng.choices((None, "2 s", "100 ms"), (60, 25, 15))[0]
        names = (f"k:{key}", f"l:{key}", *(f"t:{tag}" for tag in tags or ()))
        return self.fresh.new_write(key, tags, versions), ttl, names

    def stored(self, session, write, statement):
        """If not, what stands there may do so rightly."""
        write.is_undone = statement.row["result"] == "f"
        if not write.is_undone:
            session.tx.add(self.fresh, "write", write.key, statement, write=write)
            self.fresh.cover(session, statement, f"k:{write.key}")
        return not write.is_undone

    def check(self, kind, is_right, key, statement):
        self.driver.history.check(kind, is_right, lambda: str(statement), self.fresh.about(key), statement)
