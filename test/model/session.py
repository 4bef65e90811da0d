"""Connections to the server. A session sends a statement and does not wait for
the answer; the simple protocol, so that what a finding shows can be fed to psql
as it is."""

import time

from psycopg import OperationalError, pq

CONNINFO = b"application_name=model"
DONE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK, pq.ExecStatus.EMPTY_QUERY)
ENDS_SESSION = ("57P01", "57P02", "57P03", "08006")


def connect():
    """The server may be in recovery yet."""
    for _ in range(300):
        conn = pq.PGconn.connect(CONNINFO)
        if conn.status == pq.ConnStatus.OK:
            return conn
        reason = conn.error_message.decode()
        conn.finish()
        time.sleep(0.1)
    raise ConnectionError(reason)


def rows_of(result):
    names = [result.fname(column).decode() for column in range(result.nfields)]
    return [
        {name: text(result.get_value(row, column)) for column, name in enumerate(names)}
        for row in range(result.ntuples)
    ]


def text(value):
    return None if value is None else value.decode()


class Session:
    def __init__(self, number):
        self.number = number
        self.open()

    def __str__(self):
        return f"S{self.number}"

    def open(self):
        self.conn = connect()
        self.conn.nonblocking = 1
        self.pid = self.conn.backend_pid
        self.tx = None
        self.program = None
        self.statement = None
        self.queued = None

    def close(self):
        self.conn.finish()

    @property
    def is_busy(self):
        return self.statement is not None

    def send(self, statement, sql):
        self.statement = statement
        try:
            self.conn.send_query(sql.encode())
            self.conn.flush()
        except OperationalError:
            statement.is_lost = True

    def poll(self):
        """True once the answer is complete."""
        statement = self.statement
        try:
            if not statement.is_lost:
                self.conn.consume_input()
            while not statement.is_lost and not self.conn.is_busy():
                result = self.conn.get_result()
                if result is None:
                    return True
                self.take(result)
        except OperationalError:
            statement.is_lost = True
        return statement.is_lost

    def take(self, result):
        statement = self.statement
        if result.status in DONE:
            statement.rows = rows_of(result) or statement.rows
        elif statement.sqlstate is None:
            state = result.error_field(pq.DiagnosticField.SQLSTATE)
            statement.sqlstate = state.decode() if state else "08006"
            statement.message = result.error_message.decode().strip()
            statement.is_lost = statement.sqlstate in ENDS_SESSION

    def cancel(self):
        self.statement.is_cancelled = True
        self.conn.get_cancel().cancel()


class Control:
    """The connection that looks on."""

    def __init__(self):
        self.conn = connect()

    def reopen(self):
        self.conn.finish()
        self.conn = connect()

    def query(self, sql):
        result = self.conn.exec_(sql.encode())
        if result.status not in DONE:
            raise RuntimeError(f"{sql}: {result.error_message.decode()}")
        return rows_of(result)

    def is_alive(self, pid):
        return bool(self.query(f"SELECT FROM pg_stat_activity WHERE pid = {pid}"))

    def blockers(self, pid):
        found = self.query(f"SELECT unnest(pg_blocking_pids({pid})) AS pid")
        return {int(row["pid"]) for row in found}

    def state_of(self, pid):
        """What it does, and what keeps it from going on."""
        found = self.query(
            "SELECT concat_ws(' ', state, wait_event_type, wait_event) AS state,"
            " ARRAY(SELECT concat_ws(' ', mode, locktype, transactionid, virtualtransaction) FROM pg_locks"
            f" WHERE pid = {pid} AND NOT granted) AS wanted FROM pg_stat_activity WHERE pid = {pid}"
        )
        return f"{found[0]['state']} {found[0]['wanted']}" if found else "gone"

    def sleeps_on(self, pid):
        """Lock, or Extension: its latch, which somebody is to set."""
        found = self.query(
            "SELECT wait_event_type AS kind FROM pg_stat_activity"
            f" WHERE pid = {pid} AND state <> 'idle' AND wait_event_type IN ('Lock', 'Extension')"
        )
        return found[0]["kind"] if found else None
