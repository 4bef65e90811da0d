"""Dedupe: one owner a job, one end a job, and nobody is told another's result."""

import json
from dataclasses import dataclass

import calls
from clock import instant
from family import Family

HASHES = ("d1", "d2", "d3", "d4")
TIMEOUTS = ("10 s", "1 h", "300 ms")
KEPT = 60


@dataclass(eq=False)
class Share:
    """What somebody was told when he registered."""

    hash: str
    job: str
    is_owner: bool
    statement: object


def name_of(hash):
    return f"j:{hash}"


class Jobs(Family):
    unlogged = ("opened", "finished", "gone")

    def __init__(self, driver):
        super().__init__(driver)
        self.shares = []
        self.orders = {}
        self.opened = {}
        self.finished = {}
        self.operations = {self.register: 8, self.finish: 7, self.wait_for: 5, self.clear: 1, self.ask: 1}

    def all_names(self):
        return [name_of(hash) for hash in HASHES]

    def committed(self, effect, tx):
        if effect.kind == "opened":
            self.opened.setdefault(effect.name, []).append((tx.ack, effect.job))
        elif effect.kind == "finished":
            former = self.finished.get(effect.job)
            self.check(
                "a job is finished once",
                former is None,
                lambda: f"by {former} and {tx}: {effect.statement}",
                effect.name,
                effect.statement,
            )
            self.finished[effect.job] = tx

    def check(self, kind, is_right, detail, hash, statement=None):
        return self.driver.history.check(kind, is_right, detail, (name_of(hash),), statement)

    def row(self, hash, clock):
        now = instant(clock)
        rows = self.driver.control.query(
            "SELECT job_id, status, expires_at > '{0}' AND coalesce(lease_expires_at > '{0}', true) AS is_live"
            " FROM idemstore.dedupe_jobs WHERE hash = '{1}'".format(now, hash)
        )
        return rows[0] if rows else None

    # registering

    def register(self, session):
        rng = self.driver.rng
        hash = rng.choice(HASHES)
        before = {}
        call = calls.dedupe_register_or_join(hash, rng.choice(TIMEOUTS), names=(name_of(hash),), waits_for=())
        call.before = lambda s: before.update(self.row(hash, self.driver.clock.now) or {})
        had_own = session.tx is not None and session.tx.last(self, hash) is not None
        statement = yield call
        job = statement.row["job_id"]
        is_owner = statement.row["is_owner"] == "t"
        has_owner = any(share.job == job and share.is_owner for share in self.shares)
        self.orders.setdefault(job, len(self.orders))
        if is_owner:
            self.check("an owner has a job of his own", not has_owner, lambda: str(statement), hash, statement)
            self.check_alone(session, hash, before if statement.is_quiet and not had_own else {}, statement)
            session.tx.add(self, "opened", hash, statement, job=job)
        self.shares.append(Share(hash, job, is_owner, statement))
        del self.shares[:-KEPT]

    def check_alone(self, session, hash, row, statement):
        for tx in self.driver.open_transactions(session.tx):
            last = tx.last(self, hash)
            if last is not None and self.driver.is_steady(tx) and last.statement.answered < statement.sent:
                self.check("one owner a job", last.kind == "gone", lambda: f"{tx} has {last.kind} it: {statement}", hash, statement)
        is_taken = row.get("status") == "pending" and row["is_live"] == "t"
        self.check("a live job is joined", not is_taken, lambda: f"{row}: {statement}", hash, statement)

    # finishing

    def some_share(self, session, wants_owner):
        rng = self.driver.rng
        pool = [share for share in self.shares if share.is_owner or not wants_owner]
        mine = [share for share in pool if share.statement.session is session]
        pool = mine if mine and rng.random() < 0.6 else pool
        return rng.choice(pool[-3:] if rng.random() < 0.8 else pool) if pool else None

    def finish(self, session):
        share = self.some_share(session, True)
        if share is None:
            return
        hash, job = share.hash, share.job
        options = {"names": (name_of(hash),)}
        value = json.dumps({"job": job})
        if self.driver.rng.random() < 0.8:
            call = calls.dedupe_complete(hash, value, job, **options)
        else:
            call = calls.dedupe_fail(hash, value, job, **options)
        statement = yield call
        if statement.row["result"] != "t":
            return
        later = [j for ack, j in self.opened.get(hash, ()) if ack < statement.sent and self.orders[j] > self.orders[job]]
        self.check("no superseded owner finishes", not later, lambda: f"{later[-1]} came after: {statement}", hash, statement)
        session.tx.add(self, "finished", hash, statement, job=job)

    # waiting

    def wait_for(self, session):
        share = self.some_share(session, False)
        if share is None or not self.driver.sleepers.have_room():
            return
        hash, job = share.hash, share.job
        statement = yield calls.dedupe_wait_for(
            hash,
            "8 s",
            job,
            waits_for=(name_of(hash),),
            about=(name_of(hash),),
            sleeps=lambda st: self.is_pending(hash, job, st),
        )
        told = statement.row["value"] or statement.row["error"]
        if told is not None:
            self.was_told(share, json.loads(told)["job"], statement)

    def is_pending(self, hash, job, statement):
        row = self.row(hash, statement.clock)
        return row is not None and row["job_id"] == job and row["status"] == "pending" and row["is_live"] == "t"

    def was_told(self, share, job, statement):
        self.check(
            "nobody is told the result of another job",
            job == share.job,
            lambda: f"registered at #{share.statement.answered} for {share.job}: {statement}",
            share.hash,
            statement,
        )

    # clearing

    def clear(self, session):
        hash = self.driver.rng.choice(HASHES)
        statement = yield calls.dedupe_clear(hash, names=(name_of(hash),))
        session.tx.add(self, "gone", hash, statement)

    def ask(self, session):
        hash = self.driver.rng.choice(HASHES)
        yield calls.dedupe_is_in_progress(hash, about=(name_of(hash),))
