"""Who changes the truth and invalidates what depends on it, and the many ways in
which an entry is removed."""

import calls
from clock import instant
from conditions import Conditions
from counters import COUNTERS
from family import Family
from freshness import EXTRA_TAGS, KEYS, PREFIXES, keys_of, keys_under, tags_of
from statement import Failed


class Changes(Family):
    def __init__(self, driver):
        super().__init__(driver)
        self.truth = driver.truth
        self.cache = driver.cache
        self.fresh = driver.cache.fresh
        self.operations = {self.remove: 3, self.invalidate: 3, self.clear: 1, self.touch: 2}
        conditions = Conditions(driver, self.cache)
        self.business_operations = {
            self.write_through: 8,
            self.refill: 4,
            self.change: 10,
            conditions.add: 2,
            conditions.swap: 2,
        }

    # changing the truth

    def write_through(self, session):
        """Change the truth and what is cached of it, in one transaction; the
        rows of the truth are locked, so that nobody has newer ones."""
        rng = self.driver.rng
        key = self.some_key()
        versions = yield from self.truth.change(session, KEYS[key])
        if len(versions) < len(KEYS[key]):
            return
        if rng.random() < 0.2:
            keys = [other for other in KEYS if set(KEYS[other]) <= set(KEYS[key])]
            yield from self.set_many(session, keys, versions)
        else:
            yield from self.set_unfenced(session, key, versions)

    def some_key(self):
        """Rather one that somebody is computing."""
        computed = [lease.key for lease in self.cache.leases[-20:] if lease.versions and self.cache.is_good(lease)]
        rng = self.driver.rng
        return rng.choice(computed) if computed and rng.random() < 0.5 else rng.choice(self.fresh.keys)

    def refill(self, session):
        """Change the truth and compute what depends on it, under a lease."""
        key = self.driver.rng.choice(self.fresh.keys)
        yield from self.truth.change(session, KEYS[key])
        lease = yield from self.cache.fetch(session, key)
        if lease is not None:
            yield from self.cache.compute(session, lease)
            yield from self.cache.store(session, lease, self.driver.rng.choice((None, "-1 s")))

    def set_unfenced(self, session, key, versions):
        tags = self.cache.some_tags(key, 0.6)
        ttl = self.driver.rng.choices((None, "2 s", "100 ms", "-1 s"), (60, 20, 15, 5))[0]
        write = self.fresh.new_write(key, tags, versions)
        names = (f"k:{key}", f"l:{key}", *(f"t:{tag}" for tag in tags or ()))
        statement = yield self.cache.some_set(key, write.value, ttl, tags, names=names)
        self.stored_unfenced(session, write, statement)

    def set_many(self, session, keys, versions):
        tags = self.driver.rng.choice((tags_of(versions), ()))
        writes = [self.fresh.new_write(key, tags, {n: versions[n] for n in KEYS[key]}) for key in keys]
        names = (*(f"k:{key}" for key in keys), *(f"t:{tag}" for tag in tags))
        statement = yield calls.cache_set_many(keys, [write.value for write in writes], None, tags, names=names)
        for write in writes:
            self.stored_unfenced(session, write, statement)

    def stored_unfenced(self, session, write, statement):
        """Stored or not, what stood there is gone."""
        write.statement = statement
        write.is_undone = statement.row["result"] == "f"
        if write.is_undone:
            self.fresh.refused_unfenced(write, statement)
        session.tx.add(self.fresh, "write", write.key, statement, write=write)
        self.fresh.cover(session, statement, f"k:{write.key}")

    def change(self, session):
        """Change the truth and invalidate what depends on it, in either order."""
        rng = self.driver.rng
        names = list(KEYS[self.some_key()]) if rng.random() < 0.5 else rng.sample(self.truth.names, rng.choice((1, 1, 2)))
        first = rng.random() < 0.5
        if first:
            yield from self.truth.change(session, names)
        yield from self.invalidate_names(session, names)
        if not first:
            yield from self.truth.change(session, names)

    def invalidate_names(self, session, names):
        rng = self.driver.rng
        how = rng.randrange(6)
        keys = sorted({key for name in names for key in keys_of(name)})
        if how == 0:
            yield from self.by_tags(session, tags_of(names))
        elif how == 1:
            for name in names:
                yield from self.by_tag(session, f"t/{name}")
        elif how == 2:
            yield from self.delete_many(session, keys)
        elif how == 3:
            for key in keys:
                yield from self.delete(session, key)
        elif how == 4:
            for prefix in sorted({key[:2] for key in keys}):
                yield from self.clear(session, prefix)
        else:
            for key in keys:
                yield from self.remove_one(session, key)

    # removing

    def remove(self, session):
        rng = self.driver.rng
        if rng.random() < 0.2:
            yield from self.delete_many(session, rng.sample(self.fresh.keys, 2))
        else:
            yield from self.remove_one(session, rng.choice(self.fresh.keys))

    def remove_one(self, session, key):
        """By any of the ways that leave no entry."""
        ways = [self.delete, self.store_nothing]
        if not self.is_stored(key):
            ways.append(self.count_nothing)
        yield from self.driver.rng.choice(ways)(session, key)

    def store_nothing(self, session, key):
        """With or without a fence."""
        lease = next((lease for lease in reversed(self.cache.leases) if lease.key == key and self.cache.is_good(lease)), None)
        if lease is not None and self.driver.rng.random() < 0.6:
            yield from self.cache.store(session, lease, "-1 s")
            return
        write = self.fresh.new_write(key, (), {})
        statement = yield calls.cache_set(key, write.value, "-1 s", None, names=(f"k:{key}", f"l:{key}"))
        self.stored_unfenced(session, write, statement)

    def is_stored(self, key):
        live = calls.live_entries(instant(self.driver.clock.now))
        return bool(self.driver.control.query(f"SELECT FROM {live} AND key = '{key}'"))

    def delete(self, session, key):
        statement = yield calls.cache_delete(key, names=(f"k:{key}", f"l:{key}"))
        self.fresh.cover(session, statement, f"k:{key}")

    def delete_many(self, session, keys):
        names = tuple(f"{kind}:{key}" for key in keys for kind in "kl")
        statement = yield calls.cache_delete_many(keys, names=names)
        self.fresh.cover(session, statement, *(f"k:{key}" for key in keys))

    def count_nothing(self, session, key):
        """Of an entry that is over; of a live one it is an error."""
        try:
            statement = yield calls.cache_increment(key, 1, "-1 s", names=(f"k:{key}", f"l:{key}"), errors=("22P02", "42804"))
        except Failed as failure:
            if failure.sqlstate not in ("22P02", "42804") or session.tx is not None:
                raise
            return
        self.fresh.cover(session, statement, f"k:{key}")

    def invalidate(self, session):
        rng = self.driver.rng
        tag = rng.choice(EXTRA_TAGS if rng.random() < 0.6 else tags_of(self.truth.names))
        if rng.random() < 0.7:
            yield from self.by_tag(session, tag)
        else:
            yield from self.by_tags(session, (tag, rng.choice(EXTRA_TAGS)))

    def by_tag(self, session, tag):
        yield from self.by_names(session, calls.invalidate_by_tag, tag, (tag,))

    def by_tags(self, session, tags):
        tags = tuple(dict.fromkeys(tags))
        yield from self.by_names(session, calls.invalidate_by_tags, tags, tags)

    def by_names(self, session, call, argument, tags):
        keys = sorted({key for tag in tags for key in keys_under(tag)})
        names = (*(f"t:{tag}" for tag in tags), *(f"k:{key}" for key in keys))
        condition = f"tags && '{{{','.join(tags)}}}'"
        count = Count(self.driver, keys, condition)
        statement = yield call(argument, names=names, before=count.look)
        count.compare(statement, names)
        self.fresh.cover(session, statement, *(f"t:{tag}" for tag in tags))

    def clear(self, session, prefix=None):
        rng = self.driver.rng
        prefix = rng.choices(PREFIXES, (5, 5, 5, 5, 5, 3, 1))[0] if prefix is None else prefix
        keys = [key for key in KEYS if key.startswith(prefix)]
        names = (f"p:{prefix}", *(f"k:{key}" for key in keys))
        if prefix == "":
            names += tuple(f"k:{key}" for key in COUNTERS)
        count = Count(self.driver, keys, f"starts_with(key, '{prefix}') AND NOT starts_with(key, 'n/')")
        statement = yield calls.cache_clear(prefix, names=names, waits_for=(*names, "*fenced"), before=count.look)
        if prefix == "":
            session.tx.add(self.driver.counters, "forget", "counters", statement)
        else:
            count.compare(statement, names)
        self.fresh.cover(session, statement, f"p:{prefix}")

    def touch(self, session):
        rng = self.driver.rng
        key = rng.choice(self.fresh.keys)
        ttl = rng.choice(("2 s", "0", "-1 s"))
        statement = yield calls.cache_touch(key, ttl, names=(f"k:{key}", f"l:{key}"))
        if ttl == "-1 s" and statement.row["result"] == "t":
            self.fresh.cover(session, statement, f"k:{key}")


class Count:
    """How many entries an invalidation removes, when nobody else is at them."""

    def __init__(self, driver, keys, condition):
        self.driver = driver
        self.names = {f"k:{key}" for key in keys}
        self.condition = condition
        self.expected = None

    def look(self, session):
        if any(not self.names.isdisjoint(tx.names) for tx in self.driver.open_transactions()):
            return
        live = calls.live_entries(instant(self.driver.clock.now))
        rows = self.driver.control.query(f"SELECT count(*) AS n FROM {live} AND ({self.condition})")
        self.expected = int(rows[0]["n"])

    def compare(self, statement, names):
        if self.expected is None or not statement.is_quiet:
            return
        found = int(statement.row["result"])
        self.driver.history.check(
            "an invalidation counts what it removed",
            found == self.expected,
            lambda: f"{self.expected} were there: {statement}",
            names,
            statement,
        )
