"""Rate limits: no window above its quota, and nobody refused below it.

What is taken is taken at once, for all and for good: no transaction matters.
The clock is known, so that the log of every resource is, too.
"""

from collections import defaultdict
from dataclasses import dataclass

import calls
from clock import EPOCH, SECOND, instant
from family import Family

SLIDING = {"s/1": (5, 10 * SECOND), "s/2": (20, 60 * SECOND), "s/3": (1, SECOND)}
BUCKETS = {"b/1": (10, 60 * SECOND, 4)}
FIXED = {"f/1": (7, 10 * SECOND)}
ADAPTIVE = {"ad/1": (20, 600 * SECOND), "ad/2": (20, 600 * SECOND)}
# An acquire decides by the split that was there, and that holds for so long.
RECALCULATION = SECOND
RESOURCES = (*SLIDING, *BUCKETS, *FIXED, *ADAPTIVE)
ORIGINS = ("o1", "o2")

SETUP = """
SELECT idemstore.set_rate_limit('s/1', 5, '10 s'), idemstore.set_rate_limit('s/2', 20, '1 min'),
       idemstore.set_rate_limit('s/3', 1, '1 s'), idemstore.set_rate_limit('b/1', 10, '1 min', 'token_bucket', 4),
       idemstore.set_rate_limit('f/1', 7, '10 s', 'fixed_window');
SELECT idemstore.set_adaptive_rate_limit(r, 20, '10 min', '5 min', 6, 2, '1 s', '15 min')
FROM unnest('{ad/1,ad/2}'::text[]) r;
"""


@dataclass
class Entry:
    """Of a log; recorded is when, of what was counted without asking."""

    when: int
    cost: int
    recorded: int = None


class Limits(Family):
    def __init__(self, driver):
        super().__init__(driver)
        self.operations = {self.take: 8, self.ask: 3, self.take_all: 2, self.reset: 1, self.adapt: 5, self.cool: 1}
        self.crashed()

    def crashed(self):
        """Their state is unlogged."""
        self.log = defaultdict(list)
        self.tokens = {name: (burst, 0) for name, (_, _, burst) in BUCKETS.items()}
        self.asked = {}
        self.uncertain = set()
        self.cooldowns = {}
        self.reset_at = {}

    def set_back(self):
        """What was taken counts from now on, at times that are not known."""
        self.log.clear()
        self.uncertain = set(RESOURCES)

    def failed(self, statement):
        """Whoever broke off in the middle may have taken or not."""
        self.uncertain.update(name[2:] for name in statement.call.names if name[:2] in ("r:", "o:"))

    def check(self, kind, is_right, detail, resource, statement):
        return self.driver.history.check(kind, is_right, detail, (f"r:{resource}", f"o:{resource}"), statement)

    @staticmethod
    def options(*resources):
        return {"names": tuple(f"r:{resource}" for resource in resources), "waits_for": ()}

    # what a log says

    def taken(self, resource, statement):
        """What counts at its clock; what was only recorded while it was on its
        way may have come after it."""
        clock = statement.clock
        if resource in FIXED:
            _, period = FIXED[resource]
            since = clock - (EPOCH * SECOND + clock) % period
        else:
            _, period = SLIDING.get(resource) or ADAPTIVE[resource]
            since = clock - period + 1
        return sum(
            entry.cost
            for entry in self.log[resource]
            if entry.when >= since and (entry.recorded is None or entry.recorded < statement.sent)
        )

    def quota(self, resource):
        return (SLIDING.get(resource) or FIXED.get(resource) or ADAPTIVE[resource])[0]

    def refill(self, resource, clock):
        quota, period, burst = BUCKETS[resource]
        tokens, when = self.tokens[resource]
        return min(burst, tokens + (clock - when) * quota / period)

    def note_taken(self, resource, cost, statement, is_counted_only=False):
        clock = statement.clock
        if statement.sent < self.reset_at.get(resource, 0) or self.is_being_reset(resource):
            return
        if resource in BUCKETS:
            left = self.refill(resource, clock) - cost
            self.tokens[resource] = (left, clock)
            if is_counted_only and not statement.is_quiet:
                self.uncertain.add(resource)
            is_right = left >= -0.001 or resource in self.uncertain or is_counted_only
        else:
            entry = Entry(clock, cost, statement.answered if is_counted_only else None)
            self.log[resource] = self.log[resource][-200:] + [entry]
            is_right = self.taken(resource, statement) <= self.quota(resource) or is_counted_only
        self.check("no window is above its quota", is_right, lambda: f"{self.log[resource][-30:]}: {statement}", resource, statement)

    def is_being_reset(self, resource):
        """Or was already, and the answer is still on its way."""
        name = f"r:{resource}"
        calls_made = [session.statement.call for session in self.driver.pending()]
        return any(call.function == "rate_limit_reset" and name in call.names for call in calls_made)

    def note_refused(self, resource, cost, statement):
        """Exact to the request, where nobody else was at work."""
        if resource in BUCKETS or resource in ADAPTIVE or resource in self.uncertain or not statement.is_quiet:
            return
        free = self.quota(resource) - self.taken(resource, statement)
        self.check("nobody is refused below the quota", free < cost, lambda: f"{free} were free: {statement}", resource, statement)

    # calls

    def take(self, session):
        rng = self.driver.rng
        resource = rng.choice((*SLIDING, *BUCKETS, *FIXED))
        cost = rng.choice((1, 1, 2))
        how = rng.randrange(5)
        if how == 4:
            statement = yield calls.record_request(resource, cost, **self.options(resource))
            self.note_taken(resource, cost, statement, True)
            return
        call = calls.consume if how == 3 else calls.acquire
        statement = yield call(resource, cost, **self.options(resource))
        is_taken = (statement.row.get("allowed") or statement.row.get("result")) == "t"
        if is_taken:
            self.note_taken(resource, cost, statement)
        else:
            self.note_refused(resource, cost, statement)

    def take_all(self, session):
        resources = self.driver.rng.sample(list(SLIDING), 2)
        statement = yield calls.acquire_all(resources, [1, 1], **self.options(*resources))
        if statement.row["result"] == "t":
            for resource in resources:
                self.note_taken(resource, 1, statement)
        elif statement.is_quiet and not self.uncertain.intersection(resources):
            full = [r for r in resources if self.taken(r, statement) >= self.quota(r)]
            self.check("acquire_all refuses only where one is full", bool(full), lambda: str(statement), resources[0], statement)

    def ask(self, session):
        resource = self.driver.rng.choice((*SLIDING, *FIXED))
        if self.driver.rng.random() < 0.5:
            statement = yield calls.can_proceed(resource, 1, about=(f"r:{resource}",))
            if statement.row["result"] != "t":
                self.note_refused(resource, 1, statement)
            return
        statement = yield calls.rate_limit_status(resource, about=(f"r:{resource}",))
        if resource in self.uncertain or not statement.is_quiet:
            return
        remaining = max(0, self.quota(resource) - self.taken(resource, statement))
        is_right = int(statement.row["remaining"]) == remaining
        self.check("the status counts right", is_right, lambda: f"{remaining} remain: {statement}", resource, statement)

    def reset(self, session):
        resource = self.driver.rng.choice(RESOURCES)
        statement = yield calls.rate_limit_reset(resource, **self.options(resource))
        self.log.pop(resource, None)
        self.asked.pop(resource, None)
        self.reset_at[resource] = statement.answered
        if statement.is_quiet:
            self.uncertain.discard(resource)
        else:
            self.uncertain.add(resource)
        if resource in BUCKETS:
            self.tokens[resource] = (BUCKETS[resource][2], 0)

    def adapt(self, session):
        rng = self.driver.rng
        resource = rng.choice(list(ADAPTIVE))
        priority = rng.choice(("user", "background"))
        how = rng.randrange(3)
        if how == 0:
            statement = yield calls.acquire(resource, 1, priority, **self.options(resource))
            if statement.row["result"] == "t":
                self.note_taken(resource, 1, statement)
                self.asked.setdefault(resource, statement.clock + RECALCULATION)
        elif how == 1:
            statement = yield calls.record_request(resource, 1, priority, **self.options(resource))
            self.note_taken(resource, 1, statement, True)
            self.asked.setdefault(resource, statement.clock)
        else:
            yield from self.ask_split(resource)

    def ask_split(self, resource):
        statement = yield calls.adaptive_rate_limit_status(resource, about=(f"r:{resource}",))
        row = statement.row
        since = self.asked.get(resource)
        whole = int(row["user_reserved"]) + int(row["background_max"])
        self.check("both pools are the quota", whole == self.quota(resource), lambda: str(statement), resource, statement)
        if since is not None and statement.clock >= since and statement.is_quiet and resource not in self.uncertain:
            is_right = row["reason"] != "initial"
            self.check("initial is only what nobody asked for", is_right, lambda: str(statement), resource, statement)

    def cool(self, session):
        rng = self.driver.rng
        origin = rng.choice(ORIGINS)
        options = {"names": (f"o:{origin}",), "waits_for": ()}
        how = rng.randrange(3)
        if how == 2:
            statement = yield calls.get_cooldown(origin, about=(f"o:{origin}",))
            if origin not in self.uncertain and statement.is_quiet:
                is_right = (statement.row["result"] is not None) == (self.cooldowns.get(origin, 0) > statement.clock)
                self.check("a cooldown holds until its end", is_right, lambda: str(statement), origin, statement)
            return
        until = self.driver.clock.now + rng.choice((SECOND, 60 * SECOND)) if how == 0 else 0
        if how == 0:
            statement = yield calls.set_cooldown(origin, instant(until), **options)
        else:
            statement = yield calls.clear_cooldown(origin, **options)
        self.cooldowns[origin] = until
        (self.uncertain.discard if statement.is_quiet else self.uncertain.add)(origin)
