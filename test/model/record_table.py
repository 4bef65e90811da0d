"""The table of records as it is committed.

It is read after every commit that may have changed it, and compared with what
was there before: a final record stays what it is, nobody loses a claim within
its lease, and the fence of a key only grows.
"""

from collections import defaultdict

import calls

FINAL = ("complete", "failed")
CONTENT = ("status", "completed_at", "response_status", "body", "error")


def name_of(key):
    return f"i:{key}"


def with_ticks(row):
    """Without a lease it is over."""
    row["end"] = int(row["end"])
    row["lease_end"] = int(row["lease_end"] or 0)
    return row


class RecordTable:
    """replacing are the effects since it was read; None stands for all that
    somebody who was lost may have done."""

    def __init__(self, driver):
        self.driver = driver
        self.rows = {}
        self.floors = defaultdict(list)
        self.replacing = []

    def look(self, tx):
        now = self.driver.clock.latest
        found = {row["key"]: with_ticks(row) for row in self.driver.control.query(calls.RECORDS)}
        for key in set(found) | set(self.rows):
            self.compare(key, self.rows.get(key), found.get(key), now, tx)
        self.rows = found
        self.replacing = []

    def compare(self, key, old, new, now, tx):
        """What became of a row between two commits."""
        if old is None:
            if new is not None:
                self.learn(key, new)
            return
        is_same = new is not None and new["fence"] == old["fence"]
        if is_same and old["status"] in FINAL:
            changed = [column for column in CONTENT if old[column] != new[column]]
            self.check("a final record never changes", not changed, f"{changed}: {old} became {new} at {tx}", key)
        elif not is_same:
            self.replaced(key, old, new, now, tx)
        if new is not None and not is_same:
            self.learn(key, new)

    def replaced(self, key, old, new, now, tx):
        is_over = old["end"] <= now
        kinds = self.kinds_at_work(key)
        if old["status"] in FINAL:
            is_right = is_over or kinds & {"gone", "overwritten"}
            self.check("a final record is replaced only if it may be", is_right, f"{old} became {new} at {tx}", key)
        else:
            is_right = is_over or old["lease_end"] <= now or kinds & {"gone", "overwritten", "released", "retried"}
            self.check("nobody loses a claim within its lease", is_right, f"{old} became {new} at {tx}", key)

    def kinds_at_work(self, key):
        """What was done to the key since the table was read, or may have been."""
        kinds = {"gone"} if None in self.replacing else set()
        kinds |= {effect.kind for effect in self.replacing if effect is not None and effect.name == key}
        for tx in self.driver.open_transactions():
            if tx.may_be_committed or tx.implicit:
                kinds |= {effect.kind for effect in tx.effects if effect.name == key}
                if tx.implicit and name_of(key) in tx.names:
                    kinds.add("gone")
        return kinds

    def learn(self, key, row):
        fence = int(row["fence"])
        floor = self.floors[key][-1][1] if self.floors[key] else 0
        self.check("the fence of a key grows", fence > floor, f"{floor} came before {row}", key)
        self.floors[key].append((self.driver.history.event, max(fence, floor)))

    def floor_at(self, key, event):
        """The largest fence that was committed before the event."""
        return max((fence for when, fence in self.floors[key] if when < event), default=0)

    def check(self, kind, is_right, detail, key, statement=None):
        return self.driver.history.check(kind, is_right, detail, (name_of(key),), statement)
