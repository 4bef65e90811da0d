"""A database to work on: PGHOST and its like lead to it."""

from __future__ import annotations

import itertools
import os
import time
from typing import Any

import asyncpg
import psycopg
import psycopg2
import pytest
import sqlalchemy
from psycopg_pool import ConnectionPool
from sqlalchemy.orm import Session

DSN = f"host={os.environ['PGHOST']} port={os.environ['PGPORT']} user={os.environ['PGUSER']} dbname={os.environ['PGDATABASE']}"
URL = f"postgresql+psycopg2://{os.environ['PGUSER']}@/{os.environ['PGDATABASE']}?host={os.environ['PGHOST']}&port={os.environ['PGPORT']}"
ASYNC_URL = URL.replace("psycopg2", "asyncpg")
numbers = itertools.count()


@pytest.fixture(scope="session", autouse=True)
def _database() -> None:
    with psycopg.connect(DSN, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS idemstore")
        connection.execute("CREATE TABLE IF NOT EXISTS charges (payment text NOT NULL)")


@pytest.fixture
def key() -> str:
    return f"key-{time.time_ns()}-{next(numbers)}"


@pytest.fixture
def watcher() -> Any:
    """A connection beside those of the test; nothing but it may be left at the end."""
    with psycopg.connect(DSN, autocommit=True) as connection:
        yield connection
        deadline = time.monotonic() + 60
        while others(connection) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert others(connection) == 0


def others(connection: Any) -> int:
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    return int(connection.execute(query).fetchone()[0])


def charges(watcher: Any, key: str) -> int:
    return int(watcher.execute("SELECT count(*) FROM charges WHERE payment = %s", [key]).fetchone()[0])


def execute(connection: Any, key: str) -> None:
    """The business row, by whatever driver."""
    if isinstance(connection, (sqlalchemy.engine.Connection, Session)):
        connection.execute(sqlalchemy.text("INSERT INTO charges VALUES (:k)"), {"k": key})
    else:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO charges VALUES (%s)", [key])


async def aexecute(connection: Any, key: str) -> None:
    if isinstance(connection, (asyncpg.Connection, asyncpg.pool.PoolConnectionProxy)):
        await connection.execute("INSERT INTO charges VALUES ($1)", key)
    elif isinstance(connection, psycopg.AsyncConnection):
        await connection.execute("INSERT INTO charges VALUES (%s)", [key])
    else:
        await connection.execute(sqlalchemy.text("INSERT INTO charges VALUES (:k)"), {"k": key})


def connect_psycopg() -> Any:
    return psycopg.connect(DSN)


def connect_psycopg2() -> Any:
    return psycopg2.connect(DSN)


CONNECT = ["psycopg", "psycopg-autocommit", "psycopg2", "psycopg2-autocommit", "sqlalchemy", "sqlalchemy-session", "django"]
ASYNC_CONNECT = ["psycopg", "asyncpg", "sqlalchemy"]


@pytest.fixture(params=CONNECT)
def connection(request: Any) -> Any:
    driver, _, how = request.param.partition("-")
    if driver == "psycopg":
        with psycopg.connect(DSN, autocommit=how != "") as connected:
            yield connected
    elif driver == "psycopg2":
        connected2 = psycopg2.connect(DSN)
        connected2.autocommit = how != ""
        yield connected2
        connected2.close()
    elif driver == "django":
        from django.db import connection as of_django

        yield of_django
        of_django.close()
    else:
        engine = sqlalchemy.create_engine(URL, future=True)
        with Session(engine) if how else engine.connect() as opened:
            yield opened
        engine.dispose()


@pytest.fixture(params=ASYNC_CONNECT)
async def aconnection(request: Any) -> Any:
    if request.param == "psycopg":
        async with await psycopg.AsyncConnection.connect(DSN) as connected:
            yield connected
    elif request.param == "asyncpg":
        asyncpg_connection = await asyncpg.connect(
            host=os.environ["PGHOST"], port=int(os.environ["PGPORT"]), user=os.environ["PGUSER"], database=os.environ["PGDATABASE"]
        )
        yield asyncpg_connection
        await asyncpg_connection.close()
    else:
        from sqlalchemy.ext.asyncio import create_async_engine

        engine = create_async_engine(
            "postgresql+asyncpg://",
            connect_args={
                "host": os.environ["PGHOST"],
                "port": int(os.environ["PGPORT"]),
                "user": os.environ["PGUSER"],
                "database": os.environ["PGDATABASE"],
            },
        )
        async with engine.connect() as opened:
            yield opened
        await engine.dispose()


@pytest.fixture
def pool() -> Any:
    with ConnectionPool(DSN, min_size=1, max_size=4) as opened:
        yield opened


@pytest.fixture
async def apool() -> Any:
    opened = await asyncpg.create_pool(
        host=os.environ["PGHOST"],
        port=int(os.environ["PGPORT"]),
        user=os.environ["PGUSER"],
        database=os.environ["PGDATABASE"],
        min_size=1,
        max_size=4,
    )
    yield opened
    await opened.close()


def pytest_configure() -> None:
    import django
    from django.conf import settings

    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": os.environ["PGDATABASE"],
                "USER": os.environ["PGUSER"],
                "HOST": os.environ["PGHOST"],
                "PORT": os.environ["PGPORT"],
            }
        },
        CACHES={"default": {"BACKEND": "idemstore.django.cache.IdemstoreCache", "LOCATION": "default", "KEY_PREFIX": "django"}},
        MIDDLEWARE=["idemstore.django.middleware.IdempotencyMiddleware"],
        IDEMSTORE_SCOPE=lambda request: request.GET.get("tenant", ""),
        ROOT_URLCONF="urls",
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="for tests",
        USE_TZ=True,
    )
    django.setup()
