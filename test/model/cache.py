"""The cache: who reads, who fetches, computes and stores under a fence."""

from collections import defaultdict
from dataclasses import dataclass

import calls
from clock import instant
from family import Family
from freshness import EXTRA_TAGS, KEYS, Freshness, tags_of
from statement import Call
from truth import session_touches_business

KEPT_LEASES = 60
SPANS = {"2 s": 2 * 10**6, "200 ms": 200_000, "20 s": 2 * 10**7}


@dataclass(eq=False)
class Lease:
    key: str
    fence: int
    statement: object
    span: int
    versions: dict = None
    only_in: object = None
    since: int = None
    is_warming: bool = False
    is_refused: bool = False

    @property
    def tx(self):
        return self.statement.tx

    def is_over(self, clock):
        return clock >= self.statement.clock + 2 * self.span


class Cache(Family):
    unlogged = ("lease", "use", "stored")

    def __init__(self, driver):
        super().__init__(driver)
        self.truth = driver.truth
        self.fresh = Freshness(driver)
        self.leases = []
        self.fences = defaultdict(dict)
        self.used = {}
        self.operations = {
            self.get: 5,
            self.recompute: 12,
            self.store_late: 7,
            self.warm_at_once: 2,
        }
        self.business_operations = {self.warm: 4, self.read_late: 3}

    # ends of transactions

    def all_names(self):
        return [f"{kind}:{key}" for key in KEYS for kind in "kl"]

    def committed(self, effect, tx):
        if effect.kind == "use":
            self.used[effect.name, effect.fence] = tx

    def crashed(self):
        self.fresh.crashed()

    # reading

    def get(self, session):
        rng = self.driver.rng
        key = rng.choice(self.fresh.keys)
        about = self.fresh.about(key)
        how = rng.randrange(4)
        if how == 3:
            statement = yield calls.cache_list(key[:2], about=about)
            found = [(row["key"], row["value"]) for row in statement.rows]
            self.check_list(found, statement)
        elif how == 2:
            keys = rng.sample(self.fresh.keys, 3)
            statement = yield calls.cache_get_many(keys, about=tuple(n for k in keys for n in self.fresh.about(k)))
            found = [(row["key"], row["value"]) for row in statement.rows]
        else:
            call = calls.cache_get if how == 0 else calls.cache_get_bytes
            statement = yield call(key, about=about)
            found = [(key, statement.row["result"])]
        for key, value in found:
            if value is not None:
                self.fresh.read(key, value, statement, statement.snapshot)

    def check_list(self, found, statement):
        keys = [key for key, _ in found]
        is_right = keys == sorted(set(keys)) and all(value is not None for _, value in found)
        self.driver.history.check("what is listed can be read", is_right, lambda: str(statement), statement.call.about, statement)

    def fetch(self, session, key=None):
        """A lease if it is ours to compute."""
        rng = self.driver.rng
        key = key or rng.choice(self.fresh.keys)
        lease = rng.choices(list(SPANS), (5, 4, 1))[0]
        stale = rng.choice((None, None, "1 min"))
        wait = "8 s" if rng.random() < 0.15 and self.driver.sleepers.have_room() else None
        statement = yield calls.cache_fetch(
            key,
            lease,
            stale,
            wait,
            names=(f"l:{key}",),
            waits_for=(f"l:{key}", f"k:{key}") if wait else (),
            about=self.fresh.about(key),
            sleeps=(lambda st: self.is_being_computed(key, st)) if wait else None,
        )
        row = statement.row
        if row["value"] is not None:
            self.fresh.read(key, row["value"], statement, statement.sent)
        if row["outcome"] != "compute":
            return None
        return self.leased(session, key, int(row["fence"]), statement, SPANS[lease])

    def leased(self, session, key, fence, statement, span):
        history = self.driver.history
        former = self.fences[key].get(fence)
        about = self.fresh.about(key)
        history.check(
            "a fence of the cache is given once",
            former is None,
            lambda: f"fence {fence} of {key} was given at #{former.statement.answered}: {statement}",
            about,
            statement,
        )
        for tx in self.driver.open_transactions(session.tx):
            last = tx.last(self, f"l:{key}")
            if last is not None and self.driver.is_steady(tx) and last.statement.answered < statement.sent:
                history.check("one computes a value", last.kind != "lease", f"{tx} computes {key}, too: {statement}", about, statement)
        lease = Lease(key, fence, statement, span)
        lease.since = self.oldest_snapshot(session, statement)
        self.fences[key][fence] = lease
        self.leases.append(lease)
        del self.leases[:-KEPT_LEASES]
        session.tx.add(self, "lease", f"l:{key}", statement)
        return lease

    def oldest_snapshot(self, session, statement):
        """Of what its session has in use."""
        cursor = session.tx.last(self, "cursor")
        is_open = cursor is not None and cursor.kind == "cursor"
        return min(statement.snapshot, cursor.statement.snapshot) if is_open else statement.snapshot

    def is_being_computed(self, key, statement):
        now = instant(statement.clock)
        rows = self.driver.control.query(
            f"SELECT EXISTS (SELECT FROM idemstore.cache_leases WHERE key = '{key}' AND lease_expires_at > '{now}')"
            f" AND NOT EXISTS (SELECT FROM {calls.live_entries(now)} AND key = '{key}') AS yes"
        )
        return rows[0]["yes"] == "t"

    # computing and storing

    def recompute(self, session):
        lease = yield from self.fetch(session)
        if lease is None:
            return
        if self.driver.rng.random() < 0.85:
            yield from self.compute(session, lease)
        if lease.versions and lease.only_in in (None, session.tx) and self.driver.rng.random() < 0.7:
            yield from self.store(session, lease)

    def compute(self, session, lease):
        statement, versions = yield from self.truth.read(session, KEYS[lease.key])
        if statement.session is lease.statement.session or statement.snapshot > lease.statement.answered:
            lease.versions = lease.versions or versions
            if session.tx.last(self.truth, KEYS[lease.key][0]) or session.tx.last(self.truth, KEYS[lease.key][-1]):
                lease.only_in = session.tx

    def read_late(self, session):
        """Compute under a lease that was taken before, perhaps by somebody else."""
        open_leases = [lease for lease in self.leases[-20:] if lease.versions is None]
        if open_leases:
            yield from self.compute(session, self.driver.rng.choice(open_leases))

    def store_late(self, session):
        rng = self.driver.rng
        computed = [lease for lease in self.leases[-25:] if lease.versions and lease.only_in in (None, session.tx)]
        if rng.random() < 0.85:
            computed = [lease for lease in computed if self.is_good(lease)]
        if computed:
            yield from self.store(session, rng.choice(computed))

    def is_good(self, lease):
        """As far as is known, nobody has used it or taken it over."""
        is_held = not lease.is_refused and not lease.is_over(self.driver.clock.now) and lease.tx.status != "aborted"
        return is_held and (lease.key, lease.fence) not in self.used and max(self.fences[lease.key]) == lease.fence

    def some_tags(self, key, extra_share=0.3):
        """Those of its names, others, or neither."""
        rng = self.driver.rng
        plain = tags_of(KEYS[key])
        extra = (rng.choice(EXTRA_TAGS),)
        if rng.random() < extra_share:
            return rng.choice((plain + extra, extra))
        return rng.choices((plain, (), None), (8, 1, 1))[0]

    def store(self, session, lease, ttl=None):
        key = lease.key
        tags = self.some_tags(key)
        ttl = ttl or self.driver.rng.choices((None, "2 s", "100 ms", "-1 s"), (50, 25, 20, 5))[0]
        write = self.fresh.new_write(key, tags, lease.versions or {}, lease)
        names = (f"k:{key}", f"l:{key}", "*fenced", *(f"t:{tag}" for tag in tags or ()))
        options = {"names": names, "waits_for": (f"k:{key}",), "about": self.fresh.about(key)}
        statement = yield self.some_set(key, write.value, ttl, tags, lease.fence, **options)
        write.statement = statement
        if statement.row["result"] == "t":
            self.stored_fenced(session, write, ttl)
        else:
            self.refused(write, statement)

    def some_set(self, key, value, ttl, tags, fence=None, **options):
        """As json, or now and then as bytes."""
        rng = self.driver.rng
        if rng.random() < 0.15:
            return calls.cache_set_bytes(key, value, ttl, tags, rng.random() < 0.5, fence, **options)
        return calls.cache_set(key, value, ttl, tags, fence, **options)

    def stored_fenced(self, session, write, ttl):
        lease, statement, key = write.lease, write.statement, write.key
        history = self.driver.history
        history.counts["fenced stores taken"] += 1
        user = self.used.get((key, lease.fence))
        later = [
            other
            for other in self.fences[key].values()
            if other.statement.answered > lease.statement.answered and other.tx.status == "committed" and other.tx.ack < statement.sent
        ]
        history.check(
            "no stale fence is taken by cache_set",
            user is None and not later and lease.tx.status != "aborted",
            lambda: f"lease of {lease.tx} ({lease.tx.status}), used by {user}, later ones {[o.fence for o in later]}: {statement}",
            self.fresh.about(key),
            statement,
        )
        session.tx.add(self, "use", key, statement, fence=lease.fence)
        session.tx.add(self, "stored", f"l:{key}", statement)
        session.tx.add(self.fresh, "write", key, statement, write=write)
        self.fresh.cover(session, statement, f"k:{key}")

    def refused(self, write, statement):
        history, lease = self.driver.history, write.lease
        history.counts["fenced stores refused"] += 1
        key = write.key
        is_lost = lease.is_refused or lease.is_over(statement.clock) or lease.tx.status != "committed" and lease.tx is not statement.tx
        is_lost = is_lost or (key, lease.fence) in self.used or max(self.fences[key]) > lease.fence
        lease.is_refused = True
        if statement.is_quiet and not is_lost and not self.fresh.has_reason_to_refuse(write, statement):
            history.counts["fenced stores refused without a known reason"] += 1

    # warming: the rows are older than the lease

    def warm(self, session):
        if session.tx is None or session.tx.implicit or session.tx.last(self, "cursor"):
            return
        statement = yield Call("cursor", "DECLARE rows CURSOR FOR SELECT name, version FROM model.truth ORDER BY name")
        session.tx.touched_business = True
        session.tx.add(self, "cursor", "cursor", statement)
        yield from self.get(session)
        for key in self.driver.rng.sample([key for key in self.fresh.keys if len(KEYS[key]) == 1], 2):
            lease = yield from self.fetch(session, key)
            if lease is not None:
                lease.is_warming = True
                name = KEYS[key][0]
                statement = yield Call("cursor", f"FETCH ABSOLUTE {int(name[1:]) + 1} FROM rows", about=(f"n:{name}",))
                lease.versions = {name: int(statement.row["version"])}
                yield from self.store(session, lease)
        yield Call("cursor", "CLOSE rows")
        session.tx.add(self, "closed", "cursor", statement)

    def warm_at_once(self, session):
        """The same within one statement, which waits for a row in between."""
        rng = self.driver.rng
        key = rng.choice([key for key in self.fresh.keys if len(KEYS[key]) == 1])
        name = KEYS[key][0]
        gate = rng.choice([other for other in self.truth.names if other != name])
        span = rng.choice(list(SPANS))
        write = self.fresh.new_write(key, tags_of((name,)), {})
        session_touches_business(session)
        options = {
            "names": (f"k:{key}", f"l:{key}", "*fenced", f"t:t/{name}", f"n:{gate}"),
            "waits_for": (f"k:{key}", f"n:{gate}"),
            "about": (*self.fresh.about(key), f"n:{name}"),
        }
        statement = yield calls.warm(key, span, write.tags, name, gate, write.number, **options)
        row = statement.row
        if row["value"] is not None:
            self.fresh.read(key, row["value"], statement, statement.snapshot)
        if row["outcome"] != "compute":
            return
        lease = self.leased(session, key, int(row["fence"]), statement, SPANS[span])
        lease.is_warming = True
        lease.versions = write.versions = {name: int(row["version"])}
        write.lease, write.statement = lease, statement
        if row["is_stored"] == "t":
            self.stored_fenced(session, write, None)
        else:
            self.refused(write, statement)
