"""What happened in which order, and what of it should not have. Events are
numbered: a statement has one when it is sent and one when it is answered, so
that "committed before it was sent" is a comparison of two numbers."""

import sys
from collections import Counter, deque

from statement import Note, Statement

KEPT = 20000
SHOWN_STATEMENTS = 60
SHOWN_FINDINGS = 2


class History:
    def __init__(self):
        self.event = 0
        self.items = deque(maxlen=KEPT)
        self.functions = Counter()
        self.findings = Counter()
        self.checks = Counter()
        self.counts = Counter()

    def next(self):
        self.event += 1
        return self.event

    def record(self, statement):
        self.items.append(statement)
        self.functions[statement.call.function] += 1

    def note(self, text):
        self.items.append(Note(self.next(), text))

    def check(self, kind, is_right, detail, names=(), statement=None):
        """A promise that was looked at; a finding if it was not kept."""
        self.checks[kind] += 1
        if not is_right:
            self.find(kind, detail() if callable(detail) else detail, names, statement)
        return is_right

    def find(self, kind, detail, names=(), statement=None):
        self.checks[kind] += 0
        self.findings[kind] += 1
        if self.findings[kind] > SHOWN_FINDINGS:
            return
        print(f"\nFINDING: {kind}\n  {detail}")
        for item in self.excerpt(set(names), statement):
            print(f"    {item}")
        sys.stdout.flush()

    def has_found(self, beginning):
        """A finding whose kind begins so."""
        return beginning is not None and any(kind.startswith(beginning) for kind, n in self.findings.items() if n)

    def excerpt(self, names, last):
        """What concerns these names, and where its transactions began and ended."""
        shown = [item for item in self.items if isinstance(item, Note) or item is last or item.concerns(names)]
        shown = shown[-SHOWN_STATEMENTS:]
        transactions = {item.tx for item in shown if isinstance(item, Statement)}
        wanted = set(map(id, shown))
        return [
            item
            for item in self.items
            if id(item) in wanted or (isinstance(item, Statement) and item.tx in transactions and item.call.is_plain)
        ]

    def report(self):
        width = max((len(name) for name in self.functions), default=0)
        print("\noperations by function")
        for name, count in sorted(self.functions.items()):
            print(f"  {name:<{width}} {count:>10,}")
        print(f"  {'all':<{width}} {sum(self.functions.values()):>10,}")
        print("looked at")
        for kind, count in sorted(self.checks.items()):
            print(f"  {count:>10,}  {kind}" + (f": {self.findings[kind]} findings" if self.findings[kind] else ""))
        for kind, count in sorted(self.counts.items()):
            print(f"  {count:>10,}  {kind}")
        stores = self.counts["fenced stores taken"] + self.counts["fenced stores refused"]
        share = self.counts["fenced stores refused without a known reason"] / max(stores, 1)
        print(f"  {100 * share:>9.1f}%  of the fenced stores were refused without a known reason")
