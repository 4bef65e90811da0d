#!/usr/bin/env python3
"""Claim, work, complete, replay with psycopg 3: in one transaction and in two.

    apt-get install python3-psycopg        (or: pip install psycopg)
    PGHOST=localhost PGUSER=me PGDATABASE=mine python3 pay.py

The database has the extension and CREATE TABLE ledger (payment text, amount numeric).
"""

import hashlib
import json
import time
from decimal import Decimal

import psycopg

HEADERS = json.dumps({"content-type": "application/json"})


def start(connection, key, body, lease=None):
    """A composite result belongs into FROM. A lease is text or a timedelta:
    for a bare number psycopg would look for another function."""
    fingerprint = hashlib.sha256(body).hexdigest()
    return connection.execute(
        """SELECT outcome, fence, response_status, response_body, retry_after_seconds
           FROM idemstore.start_processing(%s, %s, lease => %s)""",
        (key, fingerprint, lease),
    ).fetchone()


def settled(outcome, status, response, retry_after):
    """What to send when there is nothing to do."""
    if outcome in ("replay", "failed"):
        return {"status": status, "body": response.decode(), "is_replayed": True}
    if outcome == "in_progress":
        return {"status": 409, "retry_after": retry_after}
    if outcome == "mismatch":
        return {"status": 422}
    raise RuntimeError(f"unexpected outcome {outcome}")


def charge(connection, key, body, fence):
    """The business itself. What it writes commits together with the response."""
    amount = json.loads(body, parse_float=Decimal)["amount"]
    if amount > 1000:
        refusal = json.dumps({"payment": key, "refused": "limit"})
        connection.execute(
            """SELECT idemstore.fail(%s, %s, response_status => 402, response_headers => %s,
                                     response_text => %s, fence => %s)""",
            (key, json.dumps({"reason": "limit"}), HEADERS, refusal, fence),
        )
        return {"status": 402, "body": refusal}
    response = json.dumps({"payment": key, "amount": float(amount)})
    connection.execute("INSERT INTO ledger VALUES (%s, %s)", (key, amount))
    connection.execute(
        "SELECT idemstore.complete(%s, 201, %s, %s, fence => %s)",
        (key, HEADERS, response, fence),
    )
    return {"status": 201, "body": response}


def pay(connection, key, body):
    """One transaction: an exception in it rolls back, which gives the key back."""
    with connection.transaction():
        outcome, fence, *stored = start(connection, key, body)
        if outcome == "started":
            return charge(connection, key, body, fence)
        return settled(outcome, *stored)


def transfer(connection, key, body, bank=None, lease="30 s"):
    """Two transactions, with a slow call to somebody else between them. The
    claim is committed, so it outlives this process; the lease says for how
    long. Give the bank the same key: it may be asked again by whoever takes
    over."""
    outcome, fence, *stored = start(connection, key, body, lease)
    if outcome != "started":
        return settled(outcome, *stored)
    try:
        bank(key)
    except OSError as error:
        connection.execute(
            "SELECT idemstore.fail(%s, %s, retryable => true, fence => %s)",
            (key, json.dumps({"reason": str(error)}), fence),
        )
        return {"status": 503}
    try:
        with connection.transaction():
            return charge(connection, key, body, fence)
    except psycopg.Error as error:
        # the claim is lost: somebody took over, and the retry gets his answer
        if error.sqlstate == "ID412":
            return {"status": 409, "retry_after": 1}
        raise


def say(step, answer):
    line = f"{step}: {answer['status']}"
    if "body" in answer:
        line += f" {answer['body']}"
    if "retry_after" in answer:
        line += f", Retry-After: {answer['retry_after']}"
    print(line + (", replayed" if "is_replayed" in answer else ""))


def main():
    # Without autocommit, psycopg opens a transaction at the first statement,
    # and the claim of a transfer would not be committed before its call.
    connection = psycopg.connect("", autocommit=True)
    other = psycopg.connect("", autocommit=True)
    body = b'{"amount": 9.99}'

    say("payment", pay(connection, "python-1", body))
    say("its retry", pay(connection, "python-1", body))
    say("its key with another body", pay(connection, "python-1", b'{"amount": 5}'))

    with other.transaction(force_rollback=True):
        start(other, "python-2", body)
        say("while another process is at it", pay(connection, "python-2", body))
    say("when that one is dead", pay(connection, "python-2", body))

    say("payment refused", pay(connection, "python-3", b'{"amount": 5000}'))
    say("its retry", pay(connection, "python-3", b'{"amount": 5000}'))

    def meet_duplicate(key):
        say("while the bank is at it", transfer(other, key, body))

    say("transfer", transfer(connection, "python-4", body, meet_duplicate))
    say("its retry", transfer(connection, "python-4", body))

    def be_down(key):
        raise ConnectionError("the bank is down")

    say("transfer, the bank is down", transfer(connection, "python-5", body, be_down))
    say("its retry", transfer(connection, "python-5", body, lambda key: None))

    def be_slow(key):
        time.sleep(0.3)
        say("taken over meanwhile", transfer(other, key, body, lambda key: None))

    say("transfer, slower than its lease", transfer(connection, "python-6", body, be_slow, "0.2 s"))
    say("its retry", transfer(connection, "python-6", body))


if __name__ == "__main__":
    main()
