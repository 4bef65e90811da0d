"""What the middlewares share: the IETF draft of the Idempotency-Key header."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .work import _Claim

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """A status, headers and a body, whatever the framework."""

    status: int
    headers: Headers
    body: bytes


def problem(status: int, detail: str, headers: Iterable[tuple[str, str]] = ()) -> Answer:
    body = json.dumps({"status": status, "detail": detail}).encode()
    return Answer(status, [("content-type", "application/problem+json"), *headers], body)


@dataclass(frozen=True)
class Rules:
    """methods that take a key; required: a request without one is 400; store_status
    says which statuses are stored (all others roll the work back); omit_headers are
    not stored beside set-cookie and date; a body above max_body bytes is 413."""

    methods: Sequence[str] = ("POST", "PATCH")
    required: bool = False
    store_status: Callable[[int], bool] = lambda status: status < 500
    omit_headers: Sequence[str] = ()
    max_body: int = 1 << 20

    def takes(self, method: str, header: str | None) -> bool:
        return method in self.methods and (header is not None or self.required)

    def refusal(self, header: str | None) -> Answer | None:
        if header is None:
            return problem(400, "the header Idempotency-Key is missing")
        if not key_in(header):
            return problem(400, "the Idempotency-Key is not a string of 1 to 255 characters")
        return None

    def stored(self, headers: Headers) -> Headers:
        omitted = {"set-cookie", "date", *(name.lower() for name in self.omit_headers)}
        return [(name, value) for name, value in headers if name.lower() not in omitted]


def key_in(header: str) -> str | None:
    """A string as RFC 8941 writes it, in quotes, or the same without quotes, as most
    clients send it; None where it is neither."""
    quoted = re.fullmatch(r'"((?:[ !#-\[\]-~]|\\["\\])+)"', header)
    bare = re.fullmatch(r"[!#-+\--~]+", header)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else bare and bare[0]
    return key if key and len(key) <= 255 else None


TOO_LARGE = problem(413, "the body is too large for an idempotent request")


def request_fingerprint(method: str, target: str, content_type: str, body: bytes) -> str:
    digest = hashlib.sha256(f"{method} {target}\n{content_type}\n".encode())
    digest.update(body)
    return digest.hexdigest()


def answer_of(claim: _Claim) -> Answer:
    """The answer of every outcome but started."""
    if claim.outcome in ("replay", "failed"):
        response = claim.response
        if response is None or response.status is None:
            return problem(500, "the request with this Idempotency-Key failed")
        return Answer(
            response.status, [*_pairs(response.headers), ("idempotent-replayed", "true")], response.body or b""
        )
    if claim.outcome in ("in_progress", "abandoned"):
        seconds = str(max(1, claim.retry_after_seconds or 0))
        return problem(409, "a request with this Idempotency-Key is being processed", [("retry-after", seconds)])
    return problem(422, "this Idempotency-Key was used for another request")


def _pairs(headers: Any) -> Headers:
    """What any program may have stored: an object or an array of pairs."""
    pairs = headers.items() if isinstance(headers, dict) else headers or []
    return [
        (str(name), str(one)) for name, value in pairs for one in (value if isinstance(value, list) else [value])
    ]


class NotStored(Exception):
    """Rolls back work whose answer is sent and not stored."""
