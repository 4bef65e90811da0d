"""Who sleeps, and whether he should.

Whoever sleeps has a reason: an open transaction has one of the names that he
waits for, or what he waits for by design has not come. Where the last reason
has gone, nothing else is done until he is answered.
"""

import time

# Nobody who has no reason any more sleeps for so many seconds.
PATIENCE = 4.0
KIND = "nobody sleeps without a reason"
MOST = 5
# what waits are given; see the calls
TIMEOUT = 8.0
# Woken takes milliseconds, looking again half a second on average.
LATE = 0.2


class Sleepers:
    def __init__(self, driver):
        self.driver = driver
        self.wake_times = []

    def have_room(self):
        """A few may wait for others at a time."""
        sleepers = [session for session in self.driver.pending() if session.statement.call.sleeps is not None]
        return len(sleepers) < MOST

    def note_wake(self, statement):
        """How long after its last reason had gone; timeouts are no wakes."""
        if not statement.is_on_latch or statement.is_cancelled or statement.is_lost:
            return
        now = time.monotonic()
        if now - statement.slept_at < TIMEOUT - 1:
            self.wake_times.append(now - (statement.free_since or now))

    def settle(self):
        """Whoever has no reason to sleep any more must be answered."""
        if not self.driver.pending():
            return
        while self.driver.collect(0):
            pass
        while True:
            free = self.without_reason()
            if not free:
                return
            now = time.monotonic()
            for statement in free:
                statement.free_since = statement.free_since or now
            self.driver.collect(0.02)
            late = [s for s in free if s.session.statement is s and now - s.free_since > self.patience(s)]
            for statement in late:
                self.report_sleeper(statement)
                statement.session.cancel()
                self.driver.await_end(statement.session)

    def patience(self, statement):
        """What has been seen twice need not be waited for that long."""
        seen = self.driver.history.findings[f"{KIND}, {statement.call.function}"]
        return PATIENCE if seen < 2 else PATIENCE / 4

    def report_sleeper(self, statement):
        blockers = self.driver.control.blockers(statement.session.pid)
        found = [session for session in self.driver.sessions if session.pid in blockers]
        names = [name for session in found if session.tx is not None for name in session.tx.names]
        self.driver.history.find(
            f"{KIND}, {statement.call.function}",
            f"behind {[f'{session} {session.tx}' for session in found]} for {PATIENCE:g} s,"
            f" {self.driver.control.state_of(statement.session.pid)}: {statement}",
            (*statement.call.can_wait_for, *names),
            statement,
        )

    def without_reason(self):
        """Sleeping statements that nobody and nothing holds up. Who sleeps behind
        another sleeper has his reason if that one has."""
        blocked = [session.statement for session in self.driver.pending() if session.statement.is_blocked]
        sleeping = [statement for statement in blocked if not statement.has_reason]
        if not sleeping:
            return sleeping
        held = self.held_names()
        for statement in blocked:
            if statement not in sleeping:
                held.update(names_with_owner(statement))
        while True:
            reasoned = [statement for statement in sleeping if has_reason(statement, held)]
            for statement in reasoned:
                sleeping.remove(statement)
                statement.free_since, statement.has_reason = None, True
                held.update(names_with_owner(statement))
            if not reasoned:
                return sleeping

    def held_names(self):
        """What open transactions hold by what they did, with their numbers."""
        held = set()
        for tx in self.driver.open_transactions():
            statement = tx.session.statement if tx.status == "open" else None
            asked = len(statement.call.names) if statement is not None and statement.tx is tx else 0
            held.update((name, tx.number) for name in tx.names[: len(tx.names) - asked])
        return held

    def judge_wakes(self):
        """The commit wakes who waits on his latch; looking again once a second
        is for what has no commit. One of many may be late on a busy machine."""
        late = [seconds for seconds in self.wake_times if seconds > LATE]
        history = self.driver.history
        history.counts["waiters on their latch that were woken"] = len(self.wake_times)
        history.counts["of those after more than 0.2 s"] = len(late)
        if len(self.wake_times) >= 10:
            history.check("a commit wakes who waits for it", 3 * len(late) < len(self.wake_times), f"late: {late[:20]}")


def names_with_owner(statement):
    number = statement.tx.number if statement.tx is not None else 0
    return {(name, number) for name in statement.call.names}


def has_reason(statement, held):
    if statement.call.sleeps is not None and statement.call.sleeps(statement):
        return True
    number = statement.tx.number if statement.tx is not None else 0
    wanted = set(statement.call.can_wait_for)
    return any(name in wanted and owner != number for name, owner in held)
