from conftest import execute
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path


def pay(request):
    execute(connection, request.headers.get("Idempotency-Key", "none"))
    response = HttpResponse(b"\x00\\" + request.body, status=int(request.GET.get("status", 201)))
    response["X-Kept"] = "yes"
    response.set_cookie("a", "b")
    return response


def stream(request):
    return StreamingHttpResponse([b"a", b"b"])


urlpatterns = [path("pay", pay), path("stream", stream)]
