"""psycopg 3 sends parameters apart from the statement, numbers and bytes with
their types."""

import asyncio

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Json

from story import tell


class Session:
    def __init__(self, connection):
        self.connection = connection

    async def query(self, parts, values):
        cursor = await self.connection.execute('%s'.join(part.replace('%', '%%') for part in parts), values)
        return await cursor.fetchall() if cursor.description else []

    async def begin(self):
        await self.connection.set_autocommit(False)

    async def commit(self):
        await self.connection.commit()
        await self.connection.set_autocommit(True)

    async def rollback(self):
        await self.connection.rollback()
        await self.connection.set_autocommit(True)

    async def close(self):
        await self.connection.close()


async def connect():
    return Session(await psycopg.AsyncConnection.connect(autocommit=True, row_factory=dict_row))


asyncio.run(tell(
    connect,
    put=lambda kind, value: Json(value) if kind == 'json' else value,
    sqlstate=lambda error: getattr(error, 'sqlstate', None)))
