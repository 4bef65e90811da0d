"""Which values may still be read.

A value says from which versions of the truth it was computed. A transaction
that changes the truth and invalidates a key, a tag or a prefix, or writes the
key, covers what was stored under it: once it is committed, no value from older
versions is read by anybody whose snapshot is later, and no value that it
removed comes back.
"""

import json
from collections import defaultdict
from dataclasses import dataclass

from family import Family
from truth import NAMES, Truth

# for every two names, a key of either and one of both
KEYS = {}
for one, other in zip(NAMES[::2], NAMES[1::2]):
    prefix = "abcde"[len(KEYS) // 3]
    KEYS.update({f"{prefix}/0": (one,), f"{prefix}/1": (one, other), f"{prefix}/2": (other,)})
PREFIXES = ("a/", "b/", "c/", "d/", "e/", "a/0", "")
EXTRA_TAGS = ("x0", "x1")
KEPT_COVERS = 200


@dataclass(eq=False)
class Write:
    """A cache_set of a value; tags are None when it kept what stood there."""

    number: int
    key: str
    tags: tuple
    versions: dict
    lease: object = None
    statement: object = None
    is_undone: bool = False

    @property
    def value(self):
        return json.dumps({"w": self.number, "v": self.versions})


@dataclass(eq=False)
class Cover:
    statement: object
    tx: object
    versions: dict
    name: str


def tags_of(names):
    return tuple(f"t/{name}" for name in names)


def keys_of(name):
    """The keys whose value depends on a name of the truth."""
    return tuple(key for key, names in KEYS.items() if name in names)


def keys_under(tag):
    """The keys that may be stored under a tag; several at once have those of all."""
    if tag in EXTRA_TAGS:
        return tuple(KEYS)
    prefixes = {key[:2] for key in keys_of(tag[2:])}
    return tuple(key for key in KEYS if key[:2] in prefixes)


def covering(key, tags):
    """The names under which an entry can be invalidated."""
    prefixes = [f"p:{prefix}" for prefix in PREFIXES if key.startswith(prefix)]
    return [f"k:{key}", *(f"t:{tag}" for tag in tags or ()), *prefixes]


class Freshness(Family):
    unlogged = ("write",)

    def __init__(self, driver):
        super().__init__(driver)
        self.keys = [key for key, names in KEYS.items() if names[0] in driver.truth.names]
        self.writes = {}
        self.covers = defaultdict(list)
        self.crash = None

    def crashed(self):
        self.crash = self.driver.history.event

    def new_write(self, key, tags, versions, lease=None):
        write = Write(len(self.writes) + 1, key, tags, versions, lease)
        self.writes[write.number] = write
        return write

    # ends of transactions; the family of the effects is this

    def committed(self, effect, tx):
        if effect.kind == "cover":
            covers = self.covers[effect.name]
            covers.append(Cover(effect.statement, tx, Truth.changes_of(tx), effect.name))
            del covers[:-KEPT_COVERS]

    def undone(self, effect, tx):
        if effect.kind == "write":
            effect.write.is_undone = True

    def cover(self, session, statement, *names):
        for name in names:
            session.tx.add(self, "cover", name, statement)

    # reading

    def read(self, key, value, statement, snapshot):
        """Somebody was given a value."""
        found = json.loads(value)
        write = self.writes.get(found["w"])
        names = self.about(key)
        check = self.driver.history.check
        if not check("a value is one that was stored", write is not None and write.key == key, str(statement), names, statement):
            return
        if write.statement is None:
            return
        tx = write.statement.tx
        if tx.status == "lost" or tx is statement.tx and not write.is_undone:
            return
        is_committed = tx.may_be_committed and not write.is_undone
        check(
            "a value is read after its commit",
            is_committed,
            lambda: f"value {write.number} of {tx} ({tx.status}): {statement}",
            names,
            statement,
        )
        if not is_committed:
            return
        for name in covering(key, write.tags):
            for cover in self.covers[name]:
                if cover.tx.ack < snapshot and cover.tx is not tx:
                    self.judge(write, cover, statement, names)

    def judge(self, write, cover, statement, names):
        older = {n: v for n, v in write.versions.items() if cover.versions.get(n, 0) > v}
        is_fenced = write.lease is not None
        let_stay = (
            cover.name.startswith("p:")
            and not is_fenced
            and write.statement.sent < cover.statement.is_marked_by
            and (write.statement.tx.ack or 0) > cover.statement.sent
        )
        self.driver.history.check(
            f"no value older than a committed invalidation, {self.kind_of(write, cover)}",
            not older or let_stay,
            lambda: f"{write.value} is older than {cover.versions}, {cover.name} covered by {cover.tx},"
            f" committed #{cover.tx.ack}: {statement}",
            (*names, *(f"n:{name}" for name in older), cover.name),
            statement,
        )
        came_back = (write.statement.tx.ack or 0) < cover.statement.sent and write.statement.tx.status == "committed"
        self.driver.history.check(
            "what was removed does not come back",
            not came_back or cover.statement is write.statement,
            lambda: f"{write.value} was committed at #{write.statement.tx.ack},"
            f" {cover.name} by {cover.tx} at #{cover.tx.ack}: {statement}",
            (*names, cover.name),
            statement,
        )

    def kind_of(self, write, cover):
        """What a finding is filed under."""
        if write.lease is None:
            kind = "unfenced"
        elif self.crash is not None and cover.statement.sent < self.crash < cover.tx.ack:
            kind = "over a crash"
        else:
            kind = "of an open query" if write.lease.is_warming else "fenced"
        return f"{kind}, {cover.statement.call.function}"

    @staticmethod
    def about(key):
        return (f"k:{key}", f"l:{key}")

    # refusing

    def has_reason_to_refuse(self, write, statement):
        """Whether an invalidation of one of its names is not in the snapshot."""
        names = set(covering(write.key, write.tags))
        since = write.lease.since
        if any(cover.tx.ack >= since for name in names for cover in self.covers[name]):
            return True
        for tx in self.driver.open_transactions():
            if any(effect.kind == "cover" and effect.name in names for effect in tx.effects):
                return True
        return any(
            session.is_busy and session.statement is not statement and not names.isdisjoint(session.statement.call.names)
            for session in self.driver.sessions
        )

    def refused_unfenced(self, write, statement):
        """Nobody is, for what others do with other names."""
        history = self.driver.history
        history.counts["stores without a fence refused"] += 1
        if not statement.is_quiet or self.crash is not None and self.driver.prepared:
            return
        wanted = set(covering(write.key, write.tags))
        found = {name for tx in self.driver.open_transactions(statement.tx) for name in tx.names}
        is_right = not wanted.isdisjoint(found) or write.tags is None and any(name.startswith("t:") for name in found)
        history.check(
            "without a fence only an open invalidation refuses", is_right, lambda: str(statement), tuple(wanted), statement
        )
