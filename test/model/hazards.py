"""What goes wrong: cancels, backends that are terminated, a server that crashes,
a clock that is set back."""

import os
import subprocess

from clock import instant


class Hazards:
    """Chances are per step."""

    def __init__(self, crash_every=3000):
        self.crash_every = crash_every
        self.steps = 0

    def maybe(self, driver):
        rng = driver.rng
        self.steps += 1
        if self.is_due(driver):
            self.steps = 0
            crash(driver)
        dice = rng.random()
        if dice < 0.003:
            cancel(driver)
        elif dice < 0.006:
            terminate(driver)
        elif dice < 0.0065:
            set_back(driver)


    def is_due(self, driver):
        """Rather while an invalidation is prepared, which outlives it."""
        if not self.crash_every or self.steps < self.crash_every:
            return False
        prepared = [tx for tx in driver.prepared if any(effect.kind == "cover" for effect in tx.effects)]
        return bool(prepared) or self.steps > 1.3 * self.crash_every


def set_back(driver):
    """The clock, by up to two seconds."""
    driver.clock.set_back()
    driver.history.note(f"the clock is set back to {instant(driver.clock.now)}")
    for family in driver.families:
        family.set_back()


def cancel(driver):
    busy = driver.pending()
    if busy:
        session = driver.rng.choice(busy)
        driver.history.note(f"{session} is cancelled")
        session.cancel()
        driver.await_end(session)


def terminate(driver):
    """Whatever it is at: a statement, a wait, or nothing."""
    session = driver.rng.choice(driver.sessions)
    driver.history.note(f"{session} is terminated, {session.tx or 'without a transaction'}")
    driver.control.query(f"SELECT pg_terminate_backend({session.pid})")
    if session.is_busy:
        driver.await_end(session)
    else:
        driver.lost(session)


def crash(driver):
    """As if the machine lost its power; prepared transactions outlive it."""
    driver.history.note("the server crashes")
    pg_ctl("stop", "--mode=immediate")
    pg_ctl("start", f"--log={os.environ['PGDATA']}/../log")
    driver.history.note("it is up again")
    driver.control.reopen()
    driver.after_crash()


def pg_ctl(*arguments):
    subprocess.run(["pg_ctl", "--silent", "--wait", *arguments], check=True)
