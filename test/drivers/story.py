"""Do what the story says, through a driver: a session has query(), begin(),
commit(), rollback() and close(), put() makes a parameter of a value of a type,
and sqlstate() is that of an error, or None."""

import hashlib
import json
import re
import sys
from datetime import timedelta

READ_AS = {
    'text': bytes.decode, 'bytes': bytes, 'json': json.loads, 'int': int, 'long': int, 'seconds': float,
    'duration': lambda seconds: timedelta(seconds=int(seconds)), 'nanoseconds': int,
    'texts': lambda texts: texts.decode().split(','),
}


async def tell(connect, put, sqlstate):
    sessions = {'A': await connect(), 'B': await connect()}
    remembered = {}

    with open(sys.argv[1], encoding='utf-8', newline='\n') as story:
        lines = story.read().splitlines()
    for line in lines:
        name, statement = line.split('\t')
        session = sessions[name]
        try:
            if statement in ('begin', 'commit', 'rollback'):
                await getattr(session, statement)()
                print(flush=True)
                continue
            rows = await session.query(*parse(statement, put, remembered))
            for row in rows:
                remembered.update(row)
            print(';'.join('|'.join(map(shown, row.values())) for row in rows), flush=True)
        except Exception as error:
            state = sqlstate(error)
            print('error', state or f'driver {type(error).__name__} {" ".join(str(error).split())}', flush=True)
    for session in sessions.values():
        await session.close()


def parse(statement, put, remembered):
    """The statement around its parameters, and these."""
    parts, values, end = [], [], 0

    for match in re.finditer(r'<<(\S+) (.*?)>>', statement):
        kind, given = match.groups()
        parts.append(statement[end:match.start()])
        end = match.end()
        values.append(remembered[given] if kind == '=' else put(kind, READ_AS[kind](content(given))))
    return parts + [statement[end:]], values


def content(given):
    if not given.startswith('@'):
        return given.encode()
    with open(given[1:], 'rb') as file:
        return file.read()


def shown(value):
    if value is None:
        return 'NULL'
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, (bytes, memoryview)):
        return hashed('bytes', bytes(value))
    if isinstance(value, (dict, list)):
        value = json.dumps(value)
    text = str(value)
    return text if re.fullmatch('[ -~]{0,80}', text) else hashed('text', text.encode())


def hashed(kind, content):
    return f'{kind} {len(content)} {hashlib.sha256(content).hexdigest()}'
