"""What a transaction has done so far, as far as it still holds: rolling back to
a savepoint takes back what came after it."""

from dataclasses import dataclass, field

import calls

ISOLATION = {"rc": "READ COMMITTED", "rr": "REPEATABLE READ", "ser": "SERIALIZABLE"}


@dataclass
class Effect:
    """What holds once the transaction commits; kind is a method of family."""

    family: object
    kind: str
    name: str
    statement: object
    data: dict = field(default_factory=dict)

    def __getattr__(self, key):
        try:
            return self.__dict__["data"][key]
        except KeyError:
            raise AttributeError(key) from None

    @property
    def is_unlogged(self):
        """Lost in a crash, even by a transaction that is prepared."""
        return self.kind in self.family.unlogged


class Transaction:
    def __init__(self, number, session, isolation="rc", implicit=False):
        self.number = number
        self.session = session
        self.isolation = isolation
        self.implicit = implicit
        self.snapshot = None
        self.effects = []
        self.names = []
        self.functions = []
        self.savepoints = []
        self.touched_business = False
        self.status = "open"
        self.ending = False
        self.ack = None
        self.gid = None
        self.ender = None
        self.when_committed = []

    def __str__(self):
        mode = "" if self.implicit else f" {self.isolation}"
        since = f", snapshot #{self.snapshot}" if self.keeps_snapshot and self.snapshot else ""
        return f"T{self.number}{mode}{since}"

    @property
    def keeps_snapshot(self):
        return self.isolation != "rc"

    @property
    def may_conflict(self):
        """By what it has read, if it is SERIALIZABLE."""
        return self.touched_business or any(function in calls.READS for function in self.functions)

    @property
    def may_be_committed(self):
        """Others may see what it did before its commit is known."""
        return self.status == "committed" or self.ending or self.ender is not None

    @property
    def is_open(self):
        return self.status in ("open", "prepared")

    def add(self, family, kind, name, statement, **data):
        effect = Effect(family, kind, name, statement, data)
        self.effects.append(effect)
        return effect

    def savepoint(self, name):
        self.savepoints.append((name, len(self.effects), len(self.names)))

    def rollback_to(self, index=None):
        """Returns what is undone; without an index, what came after the last
        savepoint, or all."""
        if index is None:
            _, effects, names = self.savepoints[-1] if self.savepoints else (None, 0, 0)
        else:
            _, effects, names = self.savepoints[index]
            del self.savepoints[index + 1 :]
        undone = self.effects[effects:]
        del self.effects[effects:]
        # who waits for a row of an ordinary table sleeps on to the end
        self.names[names:] = [name for name in self.names[names:] if name.startswith("n:")]
        return undone

    def last(self, family, name):
        """Its last effect on a name of the family."""
        for effect in reversed(self.effects):
            if effect.family is family and effect.name == name:
                return effect
        return None
