"""Entries that are only counted up: no increment is lost."""

from collections import Counter

import calls
from clock import instant
from family import Family

COUNTERS = ("n/0", "n/1")


class Counters(Family):
    unlogged = ("add",)

    def __init__(self, driver):
        super().__init__(driver)
        self.sums = Counter()
        self.is_known = True
        self.operations = {self.increment: 1}

    def all_names(self):
        return [f"k:{key}" for key in COUNTERS]

    def committed(self, effect, tx):
        if effect.kind == "forget":
            self.is_known = False
        elif effect.kind == "add":
            self.sums[effect.name] += effect.delta

    def after_end(self, tx):
        if tx.status == "lost" and any(f"k:{key}" in tx.names for key in COUNTERS):
            self.is_known = False

    def crashed(self):
        self.is_known = False

    def increment(self, session):
        key = self.driver.rng.choice(COUNTERS)
        delta = self.driver.rng.randint(1, 5)
        statement = yield calls.cache_increment(key, delta, names=(f"k:{key}",))
        session.tx.add(self, "add", key, statement, delta=delta)
        own = sum(effect.delta for effect in session.tx.effects if effect.kind == "add" and effect.name == key)
        if not self.is_known:
            self.learn_counters()
        elif statement.is_quiet and not session.tx.last(self, "counters"):
            expected = self.sums[key] + own
            self.driver.history.check(
                "no increment is lost",
                int(statement.row["result"]) == expected,
                f"expected {expected}: {statement}",
                (f"k:{key}",),
                statement,
            )

    def learn_counters(self):
        """After a clear of everything; only while nobody is at them."""
        names = {f"k:{key}" for key in COUNTERS}
        if any(not names.isdisjoint(tx.names) for tx in self.driver.open_transactions()):
            return
        live = calls.live_entries(instant(self.driver.clock.now))
        rows = self.driver.control.query(
            f"SELECT key, convert_from(value, 'UTF8') AS value FROM {live} AND starts_with(key, 'n/')"
        )
        self.sums = Counter({row["key"]: int(row["value"]) for row in rows})
        self.is_known = True
