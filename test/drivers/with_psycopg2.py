"""psycopg2 puts parameters into the statement itself, each with its type."""

import asyncio

import psycopg2
from psycopg2.extras import Json, RealDictCursor

from story import tell


class Session:
    def __init__(self):
        self.connection = psycopg2.connect('')
        self.connection.autocommit = True

    async def query(self, parts, values):
        with self.connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute('%s'.join(part.replace('%', '%%') for part in parts), values)
            return cursor.fetchall() if cursor.description else []

    async def begin(self):
        self.connection.autocommit = False

    async def commit(self):
        self.connection.commit()
        self.connection.autocommit = True

    async def rollback(self):
        self.connection.rollback()
        self.connection.autocommit = True

    async def close(self):
        self.connection.close()


async def connect():
    return Session()


asyncio.run(tell(
    connect,
    put=lambda kind, value: Json(value) if kind == 'json' else value,
    sqlstate=lambda error: getattr(error, 'pgcode', None)))
