"""asyncpg takes of the server what type a parameter has, and accepts that alone:
text for JSON, timedelta for an interval."""

import asyncio
import json

import asyncpg

from story import tell


class Session:
    def __init__(self, connection):
        self.connection = connection

    async def query(self, parts, values):
        statement = parts[0] + ''.join(f'${n}{part}' for n, part in enumerate(parts[1:], 1))
        return [dict(row) for row in await self.connection.fetch(statement, *values)]

    async def begin(self):
        self.transaction = self.connection.transaction()
        await self.transaction.start()

    async def commit(self):
        await self.transaction.commit()

    async def rollback(self):
        await self.transaction.rollback()

    async def close(self):
        await self.connection.close()


async def connect():
    return Session(await asyncpg.connect())


asyncio.run(tell(
    connect,
    put=lambda kind, value: json.dumps(value) if kind == 'json' else value,
    sqlstate=lambda error: getattr(error, 'sqlstate', None)))
