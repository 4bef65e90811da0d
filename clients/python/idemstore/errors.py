"""The errors of the extension. Each has the driver's own error as __cause__."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class IdemstoreError(Exception):
    """An error of the extension; code is its SQLSTATE."""

    code = ""


class NotFoundError(IdemstoreError):
    """There is no such live record."""

    code = "ID404"


class WaitTimeoutError(IdemstoreError):
    """A wait timed out."""

    code = "ID408"


class LostClaimError(IdemstoreError):
    """The claim was taken over, or given up."""

    code = "ID412"


class TooLargeError(IdemstoreError):
    """The value is above what a setting allows."""

    code = "ID413"


class AlreadyFinalError(IdemstoreError):
    """The record is final already, with other content."""

    code = "ID425"


class NoLimitError(IdemstoreError):
    """No limit is configured for the resource, and none came with the call."""

    code = "ID428"


class NotCompletedError(Exception):
    """The work ended without complete() or fail(): its transaction was rolled back."""


_BY_STATE = {
    kind.code: kind
    for kind in (NotFoundError, WaitTimeoutError, LostClaimError, TooLargeError, AlreadyFinalError, NoLimitError)
}


def state_of(error: BaseException | None) -> str | None:
    """The SQLSTATE of any driver's error; SQLAlchemy has the driver's in orig."""
    while error is not None:
        for name in ("sqlstate", "pgcode"):
            state = getattr(error, name, None)
            if isinstance(state, str):
                return state
        error = getattr(error, "orig", None) or error.__cause__
    return None


@contextmanager
def named() -> Iterator[None]:
    """Raise the extension's own errors by their classes."""
    try:
        yield
    except Exception as error:
        kind = _BY_STATE.get(state_of(error) or "")
        if kind is None or isinstance(error, IdemstoreError):
            raise
        raise kind(str(error)) from error
