"""How each driver runs a statement and a transaction.

A connection is one of psycopg (3 and 2), asyncpg, SQLAlchemy (a Connection or a
Session, async ones, too) or Django, told apart by its module.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, TypeVar

from .calls import Call, Row
from .errors import named

T = TypeVar("T")


def _driver(connection: Any) -> str:
    """The package that the connection, or one of its classes, comes from."""
    for kind in type(connection).__mro__:
        package = kind.__module__.partition(".")[0]
        if package in ("psycopg", "psycopg2", "asyncpg", "sqlalchemy", "django"):
            return package
    raise TypeError(f"idemstore knows no driver with connections of {type(connection)!r}")


def call(connection: Any, call: Call[T]) -> T:
    """Call a function of the extension, in whatever transaction the connection is."""
    with named():
        return call.read(_rows(connection, call))


async def acall(connection: Any, call: Call[T]) -> T:
    """call() for an async connection."""
    with named():
        return call.read(await _arows(connection, call))


def _rows(connection: Any, call: Call[T]) -> Sequence[Row]:
    if _driver(connection) == "sqlalchemy":
        return list(connection.execute(*_for_sqlalchemy(call)))
    with connection.cursor() as cursor:
        cursor.execute(call.statement(lambda n: "%s"), call.values)
        rows: Sequence[Row] = cursor.fetchall()
        return rows


async def _arows(connection: Any, call: Call[T]) -> Sequence[Row]:
    driver = _driver(connection)
    rows: Sequence[Row]
    if driver == "sqlalchemy":
        return list(await connection.execute(*_for_sqlalchemy(call)))
    if driver == "asyncpg":
        rows = await connection.fetch(call.statement(lambda n: f"${n}"), *call.values)
        return [tuple(row) for row in rows]
    async with connection.cursor() as cursor:
        await cursor.execute(call.statement(lambda n: "%s"), call.values)
        rows = await cursor.fetchall()
        return rows


def _for_sqlalchemy(call: Call[T]) -> tuple[Any, dict[str, Any]]:
    from sqlalchemy import text

    return text(call.statement(lambda n: f":p{n}")), {f"p{n}": value for n, value in enumerate(call.values, 1)}


def transaction(connection: Any) -> AbstractContextManager[Any]:
    """A transaction, or a savepoint in the one that is open."""
    driver = _driver(connection)
    if driver == "sqlalchemy":
        nested: AbstractContextManager[Any] = (
            connection.begin_nested() if connection.in_transaction() else connection.begin()
        )
        return nested
    if driver == "django":
        from django.db.transaction import atomic

        whole: AbstractContextManager[Any] = atomic(using=connection.alias)
        return whole
    if driver == "psycopg2":
        return _psycopg2_transaction(connection)
    opened: AbstractContextManager[Any] = connection.transaction()
    return opened


@contextmanager
def _psycopg2_transaction(connection: Any) -> Iterator[None]:
    """psycopg 2 knows no transaction within another: what was open before ends with it."""
    autocommit = connection.autocommit
    if autocommit:
        connection.autocommit = False
    try:
        with connection:
            yield
    finally:
        if autocommit:
            connection.autocommit = True


def atransaction(connection: Any) -> AbstractAsyncContextManager[Any]:
    """transaction() for an async connection."""
    if _driver(connection) == "sqlalchemy":
        nested: AbstractAsyncContextManager[Any] = (
            connection.begin_nested() if connection.in_transaction() else connection.begin()
        )
        return nested
    opened: AbstractAsyncContextManager[Any] = connection.transaction()
    return opened


@contextmanager
def lent(connect: Any) -> Iterator[Any]:
    """A connection for a few calls, which are committed when it is given back."""
    with connect() as connection:
        yield connection
        if _driver(connection) == "psycopg2":
            connection.commit()


@asynccontextmanager
async def alent(connect: Any) -> AsyncIterator[Any]:
    """lent() for an async connection."""
    async with connect() as connection:
        yield connection
