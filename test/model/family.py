"""What every family of functions has: operations with their weights, and what it
is told of the ends of transactions. An operation is a generator of calls, sent
the answers."""


class Family:
    # kinds of effects that a crash takes back, even of what is prepared
    unlogged = ()
    operations = {}
    # those that need a transaction of their own, with business tables
    business_operations = {}

    def __init__(self, driver):
        self.driver = driver

    def all_names(self):
        """What expire may lock."""
        return []

    def committed(self, effect, tx):
        """An effect of this family holds from now on."""

    def undone(self, effect, tx):
        """It never will: rolled back, or back to a savepoint."""

    def after_end(self, tx):
        """All effects of the transaction are known; its status may be lost."""

    def failed(self, statement):
        """An error or a lost connection."""

    def set_back(self):
        """The clock is."""

    def crashed(self):
        """The server did, and is up again."""
