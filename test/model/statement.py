"""A call that a program wants to be made, and the statement that it becomes."""

from dataclasses import dataclass, field


@dataclass
class Call:
    """names are what the call may lock until its transaction ends; waits_for is
    what can hold it up (None: its names); about is what it looks at, for the
    history alone. sleeps(), of a call that waits for others by design, tells
    whether it still has a reason to. errors are the SQLSTATEs that are an
    answer, too; before() runs when it is sent; is_plain is what begins, marks and ends transactions."""

    function: str
    sql: str
    names: tuple = ()
    waits_for: tuple = None
    about: tuple = ()
    sleeps: object = None
    before: object = None
    errors: tuple = ()
    takes_snapshot: bool = True
    is_plain: bool = False

    @property
    def can_wait_for(self):
        return self.names if self.waits_for is None else self.waits_for


@dataclass(eq=False)
class Statement:
    """is_quiet: no transaction ended between question and answer, and nothing
    else was on its way, so that the answer follows from what is known."""

    call: Call
    session: object
    tx: object
    sent: int
    answered: int = None
    rows: list = field(default_factory=list)
    sqlstate: str = None
    message: str = ""
    is_lost: bool = False
    is_quiet: bool = True
    is_cancelled: bool = False
    is_blocked: bool = False
    has_reason: bool = False
    free_since: float = None
    is_on_latch: bool = False
    blocked_at: int = None
    slept_at: float = None
    clock: int = 0

    @property
    def row(self):
        return self.rows[0] if self.rows else {}

    @property
    def snapshot(self):
        """What was answered before this event is seen by the statement."""
        if self.tx is not None and self.tx.keeps_snapshot and self.tx.snapshot is not None:
            return self.tx.snapshot
        return self.sent

    @property
    def is_marked_by(self):
        """Of an invalidation: what begins after this event meets its mark."""
        return self.answered if self.blocked_at is None else self.blocked_at

    def concerns(self, names):
        call = self.call
        return any(not names.isdisjoint(some) for some in (call.names, call.can_wait_for, call.about))

    def __str__(self):
        tx = f" {self.tx}" if self.tx is not None else ""
        head = f"#{self.sent} {self.session}{tx}: {self.call.sql}"
        return f"{head} -> no answer yet" if self.answered is None else f"{head} -> #{self.answered} {self.answer()}"

    def answer(self):
        if self.is_lost:
            return "connection lost"
        if self.sqlstate:
            return f"{self.sqlstate} {self.message.splitlines()[0]}"
        shown = [", ".join(f"{k}={v}" for k, v in row.items() if v is not None) for row in self.rows[:6]]
        return " | ".join(shown) or "done"


@dataclass
class Note:
    """Something that happened beside all statements."""

    event: int
    text: str

    def __str__(self):
        return f"#{self.event} -- {self.text}"


class Failed(Exception):
    """The statement raised an error."""

    def __init__(self, statement):
        super().__init__(statement.message)
        self.statement = statement
        self.sqlstate = statement.sqlstate


class Lost(Exception):
    """The connection is gone, and with it whether the statement took effect."""
