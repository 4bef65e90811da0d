"""Middleware for ASGI: Starlette, FastAPI and others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from . import calls
from .calls import Duration
from .drivers import acall, alent
from .http import TOO_LARGE, Answer, NotStored, Rules, answer_of, key_in, problem, request_fingerprint
from .work import arun

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class IdempotencyMiddleware:
    """Run the application once a key, in a transaction that its response is stored in.

    connect() gives an async context with a connection, as for arun_outside(). The
    application takes it from scope["idemstore"] (request.scope in Starlette), and
    its answer is sent after the commit. scope_of gives a tenant's own namespace:
    without it, one's key is everybody's. on_outcome is told (scope, claim).
    """

    def __init__(
        self,
        app: App,
        connect: Callable[[], Any],
        scope_of: Callable[[Scope], str] = lambda scope: "",
        rules: Rules = Rules(),
        wait: Duration = None,
        ttl: Duration = None,
        on_outcome: Callable[[Scope, Any], None] = lambda scope, claim: None,
    ) -> None:
        self._app = app
        self._connect = connect
        self._scope_of = scope_of
        self._rules = rules
        self._options = {"wait": wait, "ttl": ttl}
        self._on_outcome = on_outcome

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        header = _header(scope, b"idempotency-key") if scope["type"] == "http" else None
        if scope["type"] != "http" or not self._rules.takes(scope["method"], header):
            await self._app(scope, receive, send)
            return
        answer = self._rules.refusal(header)
        if answer is None:
            body = await _read(receive, self._rules.max_body)
            answer = TOO_LARGE if body is None else await self._once(scope, str(key_in(str(header))), body)
        await _send(answer, send)

    async def _once(self, scope: Scope, key: str, body: bytes) -> Answer:
        target = scope.get("raw_path", scope["path"].encode()) + b"?" + scope.get("query_string", b"")
        content_type = _header(scope, b"content-type") or ""
        fingerprint = request_fingerprint(scope["method"], target.decode("latin-1"), content_type, body)
        answer = problem(500, "the application gave no answer")
        try:
            async with alent(self._connect) as connection, arun(
                connection, key, fingerprint, scope=self._scope_of(scope), **self._options
            ) as claim:
                self._on_outcome(scope, claim)
                if not claim.is_owner:
                    return answer_of(claim)
                answer = await _answer(self._app, {**scope, "idemstore": connection}, body)
                if not self._rules.store_status(answer.status):
                    raise NotStored
                await claim.complete(answer.status, self._rules.stored(answer.headers), answer.body)
        except NotStored:
            pass
        return answer


class RateLimitMiddleware:
    """Answer 429 to what a limit denies. resource_of(scope) is what a request counts
    on; quota and per None: the configured limit. allow_on_error: let requests
    through when there is no verdict, else they are 503."""

    def __init__(
        self,
        app: App,
        connect: Callable[[], Any],
        resource_of: Callable[[Scope], str],
        quota: int | None = None,
        per: Duration = None,
        allow_on_error: bool = False,
    ) -> None:
        self._app = app
        self._connect = connect
        self._resource_of = resource_of
        self._limit = {"quota": quota, "per": per}
        self._allow_on_error = allow_on_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._denial(scope) if scope["type"] == "http" else None
        if answer is None:
            await self._app(scope, receive, send)
        else:
            await _send(answer, send)

    async def _denial(self, scope: Scope) -> Answer | None:
        taking = calls.consume(self._resource_of(scope), **self._limit)  # type: ignore[arg-type]
        try:
            async with alent(self._connect) as connection:
                verdict = await acall(connection, taking)
        except Exception:
            return None if self._allow_on_error else problem(503, "the rate limit could not be checked")
        if verdict.allowed:
            return None
        after = [("retry-after", str(verdict.retry_after_seconds))] if verdict.retry_after_seconds else []
        return problem(429, "there were too many requests", after)


def _header(scope: Scope, name: bytes) -> str | None:
    for one, value in scope["headers"]:
        if one.lower() == name:
            text: str = value.decode("latin-1")
            return text
    return None


async def _read(receive: Receive, most: int) -> bytes | None:
    """The whole body; None when it is longer than that."""
    parts = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(parts)
        parts += message.get("body", b"")
        if len(parts) > most:
            return None
        if not message.get("more_body"):
            return bytes(parts)


async def _answer(app: App, scope: Scope, body: bytes) -> Answer:
    """Run the application on a body that was read, and keep what it answers. It is
    not told of a client that hangs up: what it does is stored for his retry."""
    status, headers, parts = 500, [], bytearray()
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in message.get("headers", [])]
        elif message["type"] == "http.response.body":
            parts.extend(message.get("body", b""))

    await app(scope, receive, send)
    return Answer(status, headers, bytes(parts))


async def _send(answer: Answer, send: Send) -> None:
    headers = [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
