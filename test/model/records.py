"""Idempotency records: who claims, who owns, who finishes, and what is told."""

from collections import defaultdict
from dataclasses import dataclass

import calls
from family import Family
from record_table import FINAL, RecordTable, name_of
from statement import Call, Failed

KEYS = ("p1", "p2", "p3", "p4", "p5")
OWNERS = ("anna", "berta")
LOST = ("ID412", "ID404", "ID425")
KEPT_CLAIMS = 60
LEASES = {"5 min": 300 * 10**6, "2 s": 2 * 10**6, "100 ms": 10**5}


@dataclass(eq=False)
class Claim:
    key: str
    fence: int
    owner: str
    statement: object

    @property
    def tx(self):
        return self.statement.tx


class Records(Family):
    def __init__(self, driver):
        super().__init__(driver)
        self.table = RecordTable(driver)
        self.claims = []
        self.fences = defaultdict(dict)
        self.bodies = {}
        self.operations = {
            self.start: 12,
            self.finish: 12,
            self.hold: 5,
            self.look: 4,
            self.create: 4,
            self.overwrite: 1,
            self.forget: 2,
        }
        self.business_operations = {self.pay: 4}

    def all_names(self):
        return [name_of(key) for key in KEYS]

    def committed(self, effect, tx):
        self.table.replacing.append(effect)

    def failed(self, statement):
        if statement.is_lost and any(name.startswith("i:") for name in statement.call.names):
            self.table.replacing.append(None)

    def crashed(self):
        self.table.replacing.append(None)
        self.table.look(None)

    def after_end(self, tx):
        if any(name.startswith("i:") for name in tx.names):
            self.table.look(tx)

    def check(self, kind, is_right, detail, key, statement=None):
        return self.table.check(kind, is_right, detail, key, statement)

    # claiming

    def start(self, session):
        rng = self.driver.rng
        key = rng.choice(KEYS)
        lease = rng.choices(list(LEASES), (6, 3, 3))[0]
        owner = rng.choice(OWNERS) if rng.random() < 0.4 else None
        named = {
            "lease": lease,
            "owner": owner,
            "ttl": rng.choice((None, None, "1 min", "3 s")),
            "fingerprint": rng.choices((None, "f1", "f2"), (5, 4, 1))[0],
            "takeover": False if rng.random() < 0.1 else None,
            "wait": "8 s" if rng.random() < 0.15 and self.driver.sleepers.have_room() else None,
        }
        waits = named["wait"] is not None
        call = {
            "names": (name_of(key),),
            "waits_for": None if waits else (),
            "sleeps": (lambda st: self.is_in_progress(key, st)) if waits else None,
        }
        statement = yield calls.start_processing(key, call, **named)
        outcome = statement.row["outcome"]
        if outcome == "started":
            return self.started(session, key, owner, statement, LEASES[lease])
        if outcome in ("replay", "failed"):
            self.replayed(key, statement)
        return None

    def started(self, session, key, owner, statement, span):
        fence = int(statement.row["fence"])
        former = self.fences[key].get(fence)
        again = owner is not None and self.is_owned_by(owner, key, fence, former)
        if not again:
            self.check_fence(key, fence, former, statement)
            self.check_alone(session, key, statement)
        claim = Claim(key, fence, owner, statement)
        if not again:
            self.fences[key][fence] = claim
        self.claims.append(claim)
        del self.claims[:-KEPT_CLAIMS]
        effect = session.tx.add(self, "held" if again else "claimed", key, statement, fence=fence)
        if again:
            self.check_lease(effect, span)
        return claim

    def is_owned_by(self, owner, key, fence, claim):
        """Who claimed it may have committed, and not have been answered yet."""
        row = self.table.rows.get(key)
        return claim.owner == owner if claim else row is not None and (row["fence"], row["owner"]) == (str(fence), owner)

    def check_fence(self, key, fence, former, statement):
        self.check(
            "a fence of a key is given once",
            former is None,
            lambda: f"{fence} was given at #{former.statement.answered} by {former.tx} ({former.tx.status}): {statement}",
            key,
            statement,
        )
        floor = self.table.floor_at(key, statement.sent)
        self.check("a new fence is above all committed", fence > floor, lambda: f"{floor} was: {statement}", key, statement)

    def check_alone(self, session, key, statement):
        for tx in self.driver.open_transactions(session.tx):
            last = tx.last(self, key)
            if last is not None and self.driver.is_steady(tx) and last.statement.answered < statement.sent:
                is_right = last.kind not in ("claimed", "finished")
                self.check("one owner a key", is_right, lambda: f"{tx} has {last.kind} it: {statement}", key, statement)
        row = self.table.rows.get(key)
        own = any(effect.name == key and effect is not session.tx.last(self, key) for effect in session.tx.effects)
        if row is None or own or not statement.is_quiet or session.tx.last(self, key):
            return
        now = self.driver.clock.latest
        is_taken = row["end"] > now and (row["status"] in FINAL or row["lease_end"] > now)
        self.check("a live record is not started again", not is_taken, lambda: f"{row}: {statement}", key, statement)

    def check_lease(self, effect, span):
        """Starting again as the same owner holds the claim as long as asked, unless
        that is undone, or the attempt given up."""
        key, statement = effect.name, effect.statement
        asked = statement.clock + span

        def look(tx):
            row = self.table.rows.get(key)
            if row is None or row["fence"] != statement.row["fence"] or row["status"] != "processing":
                return
            if effect not in tx.effects or row["lease_end"] == 0:
                return
            is_right = row["lease_end"] >= min(asked, row["end"])
            self.check("the same owner again has the lease that he asks for", is_right, f"{row}: {statement}", key, statement)

        statement.tx.when_committed.append(look)

    def replayed(self, key, statement):
        body = statement.row["body"] or (statement.row["error"] or "").strip('"')
        self.was_finished(key, body, statement)

    def was_finished(self, key, body, statement):
        """A response that was read is one that was given to this key and committed."""
        given = self.bodies.get(body)
        tx = given and given[1] and given[1].tx
        is_known = given is not None and given[0] == key
        is_right = is_known and (tx is None or tx is statement.tx or tx.may_be_committed or tx.status == "lost")
        self.check(
            "a response is read after its commit", is_right, lambda: f"of {tx} ({tx and tx.status}): {statement}", key, statement
        )

    def is_in_progress(self, key, statement):
        self.table.look(None)
        row = self.table.rows.get(key)
        if row is None or row["end"] <= statement.clock or row["status"] in FINAL:
            return False
        return row["lease_end"] > statement.clock or statement.call.function == "wait"

    # finishing

    def new_body(self, key):
        body = f"r{len(self.bodies) + 1}"
        self.bodies[body] = (key, None)
        return body

    def some_claim(self, session):
        """Mostly the newest of the key; now and then one that is lost."""
        rng = self.driver.rng
        mine = [claim for claim in self.claims if claim.statement.session is session]
        pool = mine if mine and rng.random() < 0.6 else self.claims[-8:]
        return rng.choice(pool[-3:] if rng.random() < 0.8 else pool) if pool else None

    def finish(self, session, claim=None):
        claim = claim or self.some_claim(session)
        if claim is None:
            return
        key, fence = claim.key, claim.fence
        rng = self.driver.rng
        how = rng.choices(("complete", "success", "fail", "retry", "release"), (6, 2, 2, 1, 2))[0]
        body = self.new_body(key)
        options = {"names": (name_of(key),), "errors": LOST}
        call, kind = {
            "complete": lambda: (calls.complete(key, body, fence, rng.random() < 0.5, **options), "finished"),
            "success": lambda: (calls.success(key, f'"{body}"', fence, **options), "finished"),
            "fail": lambda: (calls.fail(key, f'"{body}"', False, fence, **options), "finished"),
            "retry": lambda: (calls.fail(key, f'"{body}"', True, fence, **options), "retried"),
            "release": lambda: (calls.release(key, fence, **options), "released"),
        }[how]()
        if how == "success":
            self.bodies[f'"{body}"'] = (key, None)
        statement = yield from self.fenced(session, call)
        if statement is None:
            return
        if statement.row["result"] == "f":
            # no two calls have one body, so nothing stood so already
            self.check("false is only that there was nothing to release", how == "release", lambda: str(statement), key, statement)
            return
        self.check_not_stale(key, fence, statement)
        for form in (body, f'"{body}"'):
            if form in self.bodies:
                self.bodies[form] = (key, statement)
        session.tx.add(self, kind, key, statement, fence=fence)

    def fenced(self, session, call):
        """None where the claim is lost and no transaction is."""
        try:
            return (yield call)
        except Failed as failure:
            if failure.sqlstate not in call.errors or session.tx is not None:
                raise
            return None

    def check_not_stale(self, key, fence, statement):
        floor = self.table.floor_at(key, statement.sent)
        self.check("no stale fence is accepted", fence >= floor, lambda: f"{floor} was committed: {statement}", key, statement)

    def hold(self, session):
        """Extend, note how far it is, or make sure of the claim."""
        claim = self.some_claim(session)
        if claim is None:
            return
        key, fence = claim.key, claim.fence
        rng = self.driver.rng
        how = rng.randrange(3)
        options = {"names": (name_of(key),), "errors": LOST}
        lease = rng.choice(list(LEASES))
        if how == 0:
            call = calls.extend_lease(key, fence, lease, **options)
        elif how == 1:
            call = calls.checkpoint(key, '{"n": 1}', fence, **options)
        else:
            call = calls.assert_owner(key, fence, **options)
        has_own = session.tx is not None and session.tx.last(self, key) is not None
        before = {}
        call.before = lambda s: before.update(self.table.rows.get(key) or {})
        statement = yield from self.fenced(session, call)
        if statement is None:
            return
        self.check_not_stale(key, fence, statement)
        session.tx.add(self, "held", key, statement, fence=fence)
        if how == 0 and not has_own and statement.is_quiet and before.get("fence") == str(fence):
            end = before["lease_end"]
            is_right = int(statement.row["result"]) >= end
            self.check("extend_lease never shortens", is_right, lambda: f"it was {end}: {statement}", key, statement)

    # creating, reading, removing

    def create(self, session):
        rng = self.driver.rng
        key = rng.choice(KEYS)
        ttl = rng.choice(("1 s", "1 min", "10 ms"))
        body = self.new_body(key)
        options = {"names": (name_of(key),)}
        if rng.random() < 0.6:
            call = calls.set_nx(key, body, ttl, rng.random() < 0.5, **options)
        else:
            call = calls.initiate(key, ttl, **options)
        had_own = session.tx is not None and session.tx.last(self, key) is not None
        statement = yield call
        if statement.row["result"] == "t":
            self.bodies[body] = (key, statement)
            self.check_alone(session, key, statement)
            session.tx.add(self, "finished" if call.function == "set_nx" else "claimed", key, statement, fence=0)
        elif statement.is_quiet and not had_own:
            self.check_exists(session, key, statement)

    def check_exists(self, session, key, statement):
        """False means that there is a record, or that one is being written."""
        row = self.table.rows.get(key)
        is_live = row is not None and row["end"] > statement.clock
        is_written = any(
            effect.name == key and effect.kind in ("claimed", "finished", "overwritten", "held", "released")
            for tx in self.driver.open_transactions(session.tx)
            for effect in tx.effects
        )
        self.check("false only where there is a record", is_live or is_written, lambda: f"{row}: {statement}", key, statement)

    def look(self, session):
        rng = self.driver.rng
        key = rng.choice(KEYS)
        about = {"about": (name_of(key),)}
        how = rng.randrange(4)
        if how == 3 and self.driver.sleepers.have_room():
            sleeps = lambda st: self.is_in_progress(key, st)  # noqa: E731
            call = calls.wait(key, "8 s", waits_for=(name_of(key),), sleeps=sleeps, errors=("ID408",), **about)
        else:
            call = (calls.get, calls.lookup, calls.get_value)[how % 3](key, **about)
        had_own = session.tx is not None and session.tx.last(self, key) is not None
        try:
            statement = yield call
        except Failed as failure:
            if failure.sqlstate != "ID408" or session.tx is not None:
                raise
            return
        row = statement.row
        if call.function == "get_value":
            row = {"status": "complete", "body": row["result"]} if row["result"] is not None else {}
        if row.get("status") in FINAL:
            self.was_finished(key, row["body"] or (row["error"] or "").strip('"'), statement)
        elif statement.is_quiet and not had_own and not row.get("status"):
            self.check_absent(key, statement)

    def check_absent(self, key, statement):
        row = self.table.rows.get(key)
        if statement.tx.keeps_snapshot or row is None or row["status"] != "complete":
            return
        is_live = row["end"] > self.driver.clock.latest
        self.check("a committed response is found", not is_live, lambda: f"{row}: {statement}", key, statement)

    def overwrite(self, session):
        rng = self.driver.rng
        key = rng.choice(KEYS)
        body = self.new_body(key)
        statement = yield calls.set_value(key, body, "1 min", rng.random() < 0.5, names=(name_of(key),))
        self.bodies[body] = (key, statement)
        session.tx.add(self, "overwritten", key, statement)

    def forget(self, session):
        key = self.driver.rng.choice(KEYS)
        if self.driver.rng.random() < 0.2:
            statement = yield calls.forget_scope("", names=tuple(map(name_of, KEYS)))
            for key in KEYS:
                session.tx.add(self, "gone", key, statement)
            return
        statement = yield calls.forget(key, names=(name_of(key),))
        session.tx.add(self, "gone", key, statement)

    # claim, charge, complete: together or not at all

    def pay(self, session):
        claim = yield from self.start(session)
        if claim is None:
            return
        yield Call("charge", f"INSERT INTO model.charges VALUES ('{claim.key}', {claim.fence})", about=(name_of(claim.key),))
        session.tx.touched_business = True
        yield from self.finish(session, claim)
