"""What a session does: random operations of all families, in transactions of
every kind or each by itself."""

import calls
from statement import Call, Failed
from transaction import ISOLATION

STEPS = (1, 2, 3, 4, 6)
# cache, changes, counters, records, jobs, limits
FAMILY_WEIGHTS = (10, 4, 1, 7, 4, 4)


def make_program(driver, session):
    rng = driver.rng
    if session.tx is not None:
        return roll_back(driver, session)
    prepared = 2 * len(driver.prepared)
    kind = rng.choices((in_transaction, one_by_one, care, end_prepared), (60, 30, 1, prepared))[0]
    return kind(driver, session)


def choose(driver, with_business):
    """Operations, by their weights."""
    rng = driver.rng
    family = rng.choices(driver.families, FAMILY_WEIGHTS)[0]
    weights = dict(family.operations)
    if with_business:
        weights.update(family.business_operations)
    return rng.choices(list(weights), list(weights.values()))[0]


def one_by_one(driver, session):
    for _ in range(driver.rng.choice(STEPS)):
        try:
            yield from choose(driver, False)(session)
        except Failed:
            pass


def in_transaction(driver, session):
    rng = driver.rng
    isolation = rng.choices(list(ISOLATION), (60, 20, 20))[0]
    with_business = rng.random() < 0.7
    yield plain(f"BEGIN ISOLATION LEVEL {ISOLATION[isolation]}")
    tx = driver.begin(session, isolation)
    for step in range(rng.choice(STEPS)):
        try:
            yield from mark(driver, tx, step)
            yield from choose(driver, with_business)(session)
        except Failed:
            if not tx.savepoints or rng.random() < 0.3:
                yield from roll_back(driver, session)
                return
            yield from roll_back_to(driver, tx)
    yield from end(driver, session)


def plain(sql, name=None):
    return Call(name or sql.split()[0].lower(), sql, is_plain=True)


def mark(driver, tx, step):
    """Set a savepoint, or go back to one, now and then."""
    rng = driver.rng
    if rng.random() < 0.2:
        yield plain(f"SAVEPOINT s{step}")
        tx.savepoint(f"s{step}")
    elif tx.savepoints and rng.random() < 0.25:
        yield from roll_back_to(driver, tx)


def roll_back_to(driver, tx):
    index = driver.rng.randrange(len(tx.savepoints))
    yield plain(f"ROLLBACK TO SAVEPOINT {tx.savepoints[index][0]}", "rollback to")
    driver.undo(tx, index)


def roll_back(driver, session):
    yield plain("ROLLBACK")
    tx, session.tx = session.tx, None
    driver.ended(tx, "aborted")


def end(driver, session):
    rng = driver.rng
    how = rng.choices(("commit", "roll back", "prepare"), (75, 13, 12))[0]
    tx = session.tx
    if how == "roll back":
        yield from roll_back(driver, session)
    elif how == "prepare" and len(driver.prepared) < 6 and not tx.last(driver.cache, "cursor"):
        yield from prepare(driver, session)
    else:
        yield from commit(driver, session)


def ends(tx):
    """Says after a crash whether it was committed."""
    return f"INSERT INTO model.ends VALUES ({tx.number}); " if tx.effects else ""


def commit(driver, session):
    tx = session.tx
    tx.ending = True
    try:
        yield plain(f"{ends(tx)}COMMIT", "commit")
    except Failed:
        # how much of it is gone already depends on which of the two failed
        yield from roll_back(driver, session)
        return
    session.tx = None
    driver.ended(tx, "committed")


def prepare(driver, session):
    tx = session.tx
    tx.gid = f"p{tx.number}"
    try:
        yield plain(f"{ends(tx)}PREPARE TRANSACTION '{tx.gid}'", "prepare")
    except Failed:
        yield from roll_back(driver, session)
        return
    session.tx = None
    driver.prepared.append(tx)
    driver.ended(tx, "prepared")


def end_prepared(driver, session):
    """Of one that is prepared, whoever did it."""
    waiting = [tx for tx in driver.prepared if tx.ender is None]
    if not waiting:
        return
    tx = driver.rng.choice(waiting)
    tx.ender = session
    commits = driver.rng.random() < 0.7
    try:
        yield plain(f"{'COMMIT' if commits else 'ROLLBACK'} PREPARED '{tx.gid}'", "commit or roll back prepared")
    except Failed:
        tx.ender = None
        return
    driver.prepared.remove(tx)
    driver.ended(tx, "committed" if commits else "aborted")


def care(driver, session):
    """What runs by schedule."""
    if driver.rng.random() < 0.3:
        yield Call("expire_all", calls.expire_all().sql, waits_for=(), is_plain=True)
        return
    isolation = driver.rng.choice(list(ISOLATION))
    yield plain(f"BEGIN ISOLATION LEVEL {ISOLATION[isolation]}")
    driver.begin(session, isolation)
    try:
        yield calls.expire(100, names=tuple(driver.all_names()), waits_for=())
    except Failed:
        yield from roll_back(driver, session)
        return
    yield from commit(driver, session)
