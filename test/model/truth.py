"""The business table: a version for every name, which only grows. What is in
the cache is computed from it, and says from which versions."""

from family import Family
from statement import Call

NAMES = tuple(f"n{i}" for i in range(10))
# Few names for conflicts, many for values that are stored at all.
SIZES = (4, 6, 10)

SETUP = """
CREATE SCHEMA model;
CREATE TABLE model.truth (name text PRIMARY KEY, version bigint NOT NULL);
INSERT INTO model.truth SELECT 'n' || i, 1 FROM generate_series(0, 9) i;
CREATE TABLE model.ends (tx bigint);
CREATE TABLE model.charges (key text NOT NULL, fence bigint NOT NULL);
-- Called on rows of a query, which are older than what it waits for.
CREATE FUNCTION model.warm(key text, lease interval, tags text[], name text, version bigint, gate text, number bigint,
	OUT outcome text, OUT value text, OUT fence bigint, OUT is_stored boolean)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM model.truth t WHERE t.name = gate FOR SHARE;
	SELECT f.outcome, coalesce(f.value::text, convert_from(f.value_bytes, 'UTF8')), f.fence
	INTO outcome, value, fence FROM idemstore.cache_fetch(key, lease) f;
	IF outcome = 'compute' THEN
		is_stored := idemstore.cache_set(key, json_build_object('w', number, 'v', json_build_object(name, version)),
			tags => tags, fence => fence);
	END IF;
END
$$;
"""


class Truth(Family):
    def __init__(self, driver):
        super().__init__(driver)
        self.names = NAMES[: driver.rng.choice(SIZES)]

    def read(self, session, names):
        """The versions of the names, as the statement sees them."""
        session_touches_business(session)
        listed = ", ".join(f"'{name}'" for name in names)
        statement = yield Call(
            "truth: read",
            f"SELECT name, version FROM model.truth WHERE name IN ({listed})",
            about=tuple(f"n:{name}" for name in names),
        )
        return statement, versions_of(statement)

    def change(self, session, names):
        """New versions of the names, locked until the transaction ends."""
        session_touches_business(session)
        listed = ", ".join(f"'{name}'" for name in names)
        statement = yield Call(
            "truth: change",
            f"UPDATE model.truth SET version = version + 1 WHERE name IN ({listed}) RETURNING name, version",
            names=tuple(f"n:{name}" for name in names),
        )
        versions = versions_of(statement)
        for name, version in versions.items():
            session.tx.add(self, "change", name, statement, version=version)
        return versions

    @staticmethod
    def changes_of(tx):
        return {effect.name: effect.version for effect in tx.effects if effect.kind == "change"}


def session_touches_business(session):
    if session.tx is not None:
        session.tx.touched_business = True


def versions_of(statement):
    return {row["name"]: int(row["version"]) for row in statement.rows}
