"""Chooses who acts next, sends, and waits until he is answered or held up.

One thread and one seeded generator choose everything. As a rule the next
statement is sent when the last one has its answer or sleeps, so that a seed
repeats a run but for what the server's own timing changes; now and then several
are sent at once, for the races inside a call.
"""

import random
import select
import time

from clock import Clock
from history import History
from session import Control, Session
from sleepers import Sleepers
from statement import Failed, Lost, Statement
from transaction import Transaction
from truth import Truth

SESSIONS = 20
LOOK_AFTER = 0.004
BURST_SHARE = 0.12
STUCK_AFTER = 0.15


class Driver:
    def __init__(self, seed, make_program, family_classes):
        self.rng = random.Random(seed)
        self.history = History()
        self.control = Control()
        self.clock = Clock(self.rng)
        self.transactions = 0
        self.prepared = []
        self.truth = Truth(self)
        self.families = []
        for family in family_classes:
            self.families.append(family(self))
            setattr(self, family.__name__.lower(), self.families[-1])
        self.make_program = make_program
        self.sessions = [Session(number) for number in range(1, SESSIONS + 1)]
        self.sleepers = Sleepers(self)

    # transactions

    def begin(self, session, isolation, implicit=False):
        self.transactions += 1
        session.tx = Transaction(self.transactions, session, isolation, implicit)
        return session.tx

    def open_transactions(self, but=None):
        found = [s.tx for s in self.sessions if s.tx is not None and s.tx.is_open and s.tx is not but]
        return found + [tx for tx in self.prepared if tx is not but]

    @staticmethod
    def is_steady(tx):
        """Open, and nothing on its way that ends it: any error would."""
        if tx.status == "prepared":
            return tx.ender is None
        return not tx.session.is_busy and not tx.ending and tx.gid is None

    def ended(self, tx, status):
        """Its end is known; what it did is made known to the families."""
        tx.status = status
        tx.ack = self.history.event
        self.disturb(tx.names)
        if status == "committed":
            for effect in tx.effects:
                effect.family.committed(effect, tx)
        elif status == "aborted":
            for effect in tx.effects:
                effect.family.undone(effect, tx)
        if status != "prepared":
            for family in self.families:
                family.after_end(tx)
        if status == "committed":
            for look in tx.when_committed:
                look(tx)

    def undo(self, tx, index=None):
        """Back to a savepoint; without one, what an error does at once."""
        names = list(tx.names)
        for effect in tx.rollback_to(index):
            effect.family.undone(effect, tx)
        self.disturb(names)

    def after_crash(self):
        """No session is left, nor is anything that was unlogged."""
        for session in self.sessions:
            tx = session.tx
            if session.is_busy:
                session.statement.answered = self.history.next()
                session.statement.is_lost = True
                for family in self.families:
                    family.failed(session.statement)
            self.drop(session)
            self.decide(session, tx)
        for tx in self.prepared:
            tx.effects = [effect for effect in tx.effects if not effect.is_unlogged]
        for family in self.families:
            family.crashed()

    # one step

    def run(self, until, hazards, finding=None):
        """Until then, or until there is such a finding."""
        while time.monotonic() < until and not self.history.has_found(finding):
            hazards.maybe(self)
            idle = [session for session in self.sessions if not session.is_busy]
            if not idle:
                self.wait_for_somebody()
                continue
            # all of a burst have one clock: their order is not known
            self.clock.tick()
            burst = self.rng.random() < BURST_SHARE
            chosen = self.rng.sample(idle, min(len(idle), self.rng.randint(2, 6) if burst else 1))
            for session in chosen:
                self.resume(session)
            for session in chosen:
                self.await_answer(session)
            self.sleepers.settle()

    def resume(self, session):
        """Send what its program wants next."""
        while session.queued is None:
            session.program = self.make_program(self, session)
            self.advance(session, None)
        call, session.queued = session.queued, None
        self.send(session, call)

    def advance(self, session, statement):
        """Let its program look at the answer, and say what it wants next."""
        try:
            if statement is None:
                session.queued = next(session.program)
            elif statement.is_lost:
                session.queued = session.program.throw(Lost())
            elif statement.sqlstate is not None:
                session.queued = session.program.throw(Failed(statement))
            else:
                session.queued = session.program.send(statement)
        except (StopIteration, Failed, Lost):
            session.program = None

    def send(self, session, call):
        tx = session.tx
        if tx is None and not call.is_plain:
            tx = self.begin(session, "rc", implicit=True)
        statement = Statement(call, session, tx, self.history.next(), clock=self.clock.now)
        if call.before is not None:
            call.before(session)
        if tx is not None:
            if tx.snapshot is None and call.takes_snapshot and not call.is_plain:
                tx.snapshot = statement.sent
            tx.names.extend(call.names)
            tx.functions.append(call.function)
        busy = any(other.is_busy and not other.statement.is_blocked for other in self.sessions)
        if busy:
            self.disturb()
            statement.is_quiet = False
        self.history.record(statement)
        session.send(statement, call.sql if call.is_plain else self.clock.sql() + call.sql)

    def disturb(self, names=()):
        """Something may have changed between question and answer, and whoever
        sleeps for one of the names has to have another reason."""
        changed = set(names)
        for session in self.pending():
            statement = session.statement
            statement.is_quiet = False
            if not changed.isdisjoint(statement.call.can_wait_for):
                statement.has_reason = False

    def await_answer(self, session):
        """Until it is answered or sleeps."""
        look_at = time.monotonic() + LOOK_AFTER
        while session.is_busy:
            if session.poll():
                self.take_answer(session)
                return
            select.select([session.conn.socket], [], [], LOOK_AFTER)
            if time.monotonic() >= look_at and not session.poll():
                kind = self.control.sleeps_on(session.pid)
                if kind is not None:
                    self.note_block(session.statement)
                    session.statement.is_on_latch = kind == "Extension"
                    session.statement.slept_at = time.monotonic()
                    return
                look_at = time.monotonic() + LOOK_AFTER

    def note_block(self, statement):
        """Who invalidates has left his marks when he sleeps, unless behind others
        who are leaving the same."""
        statement.is_blocked = True
        marks = {name for name in statement.call.names if name[:2] in ("p:", "t:")}
        if all(marks.isdisjoint(tx.names) for tx in self.open_transactions(statement.tx)):
            statement.blocked_at = self.history.event

    def take_answer(self, session):
        statement = session.statement
        session.statement = None
        statement.answered = self.history.next()
        if statement.is_blocked:
            statement.is_quiet = False
        self.sleepers.note_wake(statement)
        if statement.is_lost or statement.sqlstate is not None:
            for family in self.families:
                family.failed(statement)
        if statement.is_lost:
            self.lost(session)
            return
        self.judge_error(statement)
        if statement.sqlstate is not None and session.tx is not None and not session.tx.implicit:
            self.undo(session.tx)
        if session.tx is None or not session.tx.implicit:
            self.advance(session, statement)
            return
        tx = session.tx
        if statement.sqlstate is None:
            self.advance(session, statement)
        session.tx = None
        self.ended(tx, "committed" if statement.sqlstate is None else "aborted")
        if statement.sqlstate is not None:
            self.advance(session, statement)

    def await_end(self, session):
        """For one that is cancelled or terminated: however long it takes."""
        while session.is_busy:
            select.select([session.conn.socket], [], [], 0.1)
            if session.poll():
                self.take_answer(session)

    def lost(self, session):
        """The connection broke; what became of its transaction is seen when the
        backend is gone."""
        while self.control.is_alive(session.pid):
            time.sleep(0.002)
        tx = session.tx
        self.drop(session)
        self.decide(session, tx)

    def decide(self, session, tx):
        """Of its transaction, and of a prepared one that it was to end."""
        if tx is not None:
            self.ended(tx, self.fate(tx))
        for tx in [tx for tx in self.prepared if tx.ender is session]:
            tx.ender = None
            if not self.is_prepared(tx):
                self.prepared.remove(tx)
                self.ended(tx, self.fate(tx))

    @staticmethod
    def drop(session):
        if session.program is not None:
            session.program.close()
        session.close()
        session.open()

    def is_prepared(self, tx):
        return tx.gid is not None and bool(
            self.control.query(f"SELECT FROM pg_prepared_xacts WHERE gid = '{tx.gid}'")
        )

    def fate(self, tx):
        """What it has done by itself is not known; else the table of ends says it."""
        if tx.implicit:
            return "lost"
        if self.is_prepared(tx):
            self.prepared.append(tx)
            return "prepared"
        if not tx.ending and tx.gid is None:
            return "aborted"
        found = self.control.query(f"SELECT FROM model.ends WHERE tx = {tx.number}")
        self.history.note(f"{tx} {'is' if found else 'is not'} committed")
        return "committed" if found else "aborted"

    def judge_error(self, statement):
        state = statement.sqlstate
        if state is None or state in statement.call.errors or state in ("40P01", "25P02"):
            return
        if state == "57014" and statement.is_cancelled:
            return
        tx = statement.tx
        if state == "40001" and tx is not None and tx.keeps_snapshot:
            detail = f"after {tx.functions}: {statement} {statement.message}"
            # a reader that is prepared cannot be the one that fails
            is_right = tx.may_conflict or "from prepared pivot" in statement.message
            self.history.check("40001 only after a read of its own", is_right, detail, statement.call.names, statement)
            return
        self.history.find(f"unexpected error {state} of {statement.call.function}", str(statement), statement.call.names, statement)

    # all of them

    def pending(self):
        return [session for session in self.sessions if session.is_busy]

    def collect(self, timeout):
        """Take what answers there are."""
        pending = self.pending()
        if not pending:
            return False
        ready, _, _ = select.select([session.conn.socket for session in pending], [], [], timeout)
        answered = [session for session in pending if session.conn.socket in ready and session.poll()]
        for session in answered:
            self.take_answer(session)
        return bool(answered)

    def all_names(self):
        """What expire may remove until its transaction ends."""
        return [name for family in self.families for name in family.all_names()]

    def wait_for_somebody(self):
        """All sleep: a deadlock ends one, or the end of a prepared transaction
        that nobody is left to bring about, or we cancel one."""
        deadline = time.monotonic() + STUCK_AFTER
        while time.monotonic() < deadline:
            if self.collect(0.02):
                self.sleepers.settle()
                return
        if any(tx.ender is None for tx in self.prepared):
            self.end_prepared()
        else:
            session = self.rng.choice(self.pending())
            session.cancel()
            self.await_end(session)
        self.sleepers.settle()

    def end_prepared(self):
        tx = next(tx for tx in self.prepared if tx.ender is None)
        self.prepared.remove(tx)
        self.control.query(f"COMMIT PREPARED '{tx.gid}'")
        self.history.note(f"COMMIT PREPARED '{tx.gid}'")
        self.ended(tx, "committed")

    def finish(self):
        """End all programs where they stand."""
        for session in self.sessions:
            if session.is_busy:
                session.cancel()
                self.await_end(session)
        for session in self.sessions:
            if session.tx is not None:
                tx, session.tx = session.tx, None
                session.close()
                self.ended(tx, "aborted")
        self.sleepers.judge_wakes()
