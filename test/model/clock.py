"""The clock of the server is ours, in microseconds since 2031: a seed repeats
leases and windows as well. Mostly it stands still or moves by less than a
millisecond; now and then a second, a minute or an hour passes."""

import time

EPOCH = 1924992000
SECOND = 10**6


class Clock:
    def __init__(self, rng):
        self.rng = rng
        self.now = 0
        self.latest = 0

    def tick(self):
        rng = self.rng
        steps = (
            0,
            rng.randint(1, 900),
            rng.randint(1000, 200_000),
            rng.randint(SECOND, 20 * SECOND),
            rng.randint(1000 * SECOND, 10_000 * SECOND),
        )
        self.now += rng.choices(steps, (50, 40, 9, 0.9, 0.02))[0]
        self.latest = max(self.latest, self.now)

    def set_back(self):
        """By up to two seconds."""
        self.now = max(0, self.now - self.rng.randint(1, 2 * SECOND))

    def sql(self):
        return f"SET idemstore.test_clock = '{instant(self.now)}'; "


def instant(ticks):
    seconds, micros = divmod(ticks, SECOND)
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(EPOCH + seconds)) + f".{micros:06}+00"


def ticks(expression):
    """An instant in SQL, as this clock counts."""
    return f"(extract(epoch FROM {expression}) * 1000000)::bigint - {EPOCH}000000"
