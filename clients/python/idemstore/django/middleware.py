"""Idempotency for Django's views.

MIDDLEWARE has "idemstore.django.middleware.IdempotencyMiddleware". The settings are
IDEMSTORE_RULES (an idemstore.http.Rules), IDEMSTORE_SCOPE (a function of the
request: a tenant's own namespace) and IDEMSTORE_DATABASE (an alias, "default").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponse

from ..http import TOO_LARGE, Answer, NotStored, Rules, answer_of, key_in, request_fingerprint
from ..work import run


class IdempotencyMiddleware:
    """Run the view once a key, in a transaction that its response is stored in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._rules: Rules = getattr(settings, "IDEMSTORE_RULES", Rules())
        self._scope_of: Callable[[HttpRequest], str] = getattr(settings, "IDEMSTORE_SCOPE", lambda request: "")
        self._database: str = getattr(settings, "IDEMSTORE_DATABASE", "default")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        header = request.headers.get("Idempotency-Key")
        if not self._rules.takes(str(request.method), header):
            return self._get_response(request)
        answer = self._rules.refusal(header)
        if answer is None and int(request.headers.get("Content-Length") or 0) > self._rules.max_body:
            answer = TOO_LARGE
        return _response(answer) if answer else self._once(request, str(key_in(str(header))))

    def _once(self, request: HttpRequest, key: str) -> HttpResponse:
        fingerprint = request_fingerprint(
            str(request.method), request.get_full_path(), request.headers.get("Content-Type", ""), request.body
        )
        response: Any = None
        try:
            with run(connections[self._database], key, fingerprint, scope=self._scope_of(request)) as claim:
                if not claim.is_owner:
                    return _response(answer_of(claim))
                response = self._get_response(request)
                if not self._rules.store_status(response.status_code):
                    raise NotStored
                body = b"".join(response.streaming_content) if response.streaming else response.content
                if response.streaming:
                    response.streaming_content = [body]
                claim.complete(response.status_code, self._rules.stored(list(response.items())), body)
        except NotStored:
            pass
        return response


def _response(answer: Answer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status)
    for name, value in answer.headers:
        response[name] = value
    return response
