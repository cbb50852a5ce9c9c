"""The ASGI application: routes, access, errors as JSON."""

from __future__ import annotations

import hmac
import re

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kerasft.serving.server.address import names_loopback
from kerasft.serving.server.page import page_route
from kerasft.serving.server.routes import protocol_routes
from kerasft.serving.server.service import JsonResponse, Service

# Paths that need no token: probes, and the page, which asks for the token.
_OPEN = {"/", "/v2/health/live", "/v2/health/ready"}


def make_app(service: Service, token: str | None, *, loopback: bool) -> Starlette:
    """Return the application of a server.

    Args:
        service: Its models and limits.
        token: Bearer token that requests must carry, None for none.
        loopback: Whether it listens on this machine only: other names of the host are refused, so
            that no page of another site can reach it by a name that leads here.
    """

    def metrics(request: Request) -> Response:
        return Response(service.metrics(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[page_route(), Route("/metrics", metrics), *protocol_routes(service)],
        middleware=[Middleware(AccessControl, service=service, token=token, loopback=loopback)],
        exception_handlers={HTTPException: refused, Exception: failed},
    )


def refused(request: Request, error: Exception) -> Response:
    """Return the answer to a request that is refused: an object with `error`."""
    assert isinstance(error, HTTPException)
    sentence = error.detail
    if error.status_code == 404 and sentence == "Not Found":
        sentence = f"Path {request.url.path[:80]!r} not found. The models are at /v1/models/NAME."
    elif error.status_code == 405:
        sentence = f"{request.method} is not allowed for {request.url.path[:80]!r}."
    return JsonResponse({"error": sentence}, error.status_code, error.headers)


def failed(request: Request, error: Exception) -> Response:
    """Return the answer to a request that failed for another reason, which Starlette logs."""
    return JsonResponse({"error": f"The server failed ({type(error).__name__}); see its log."}, 500)


class AccessControl:
    """Middleware that checks who asks, and adds headers to every answer.

    Args:
        app: Application behind it.
        service: Service of the server.
        token: Bearer token that requests must carry, None for none.
        loopback: Whether only names of this machine are accepted as host.
    """

    def __init__(
        self, app: ASGIApp, *, service: Service, token: str | None, loopback: bool
    ) -> None:
        self._app, self._service, self._loopback = app, service, loopback
        self._authorization = f"Bearer {token}".encode() if token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Cache-Control"] = "no-store"
                if self._service.draining:
                    headers["Connection"] = "close"
            await send(message)

        error = self._refusal(scope)
        if error is None:
            await self._app(scope, receive, send_with_headers)
        else:
            await refused(Request(scope), error)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> HTTPException | None:
        headers = Headers(scope=scope)
        host = re.sub(r":\d*$", "", headers.get("host", ""))
        if self._loopback and not names_loopback(host):
            return HTTPException(
                421, f"Host {host[:80]!r} is not a name of this server, which is on loopback only."
            )
        if scope["method"] == "POST" and headers.get("sec-fetch-site") == "cross-site":
            return HTTPException(403, "Requests from pages of other sites are not accepted.")
        if self._authorization is None or scope["path"] in _OPEN:
            return None
        given = headers.get("authorization", "").encode("latin-1")
        if hmac.compare_digest(given, self._authorization):
            return None
        return HTTPException(
            401,
            "The request has no valid token. Send the header 'Authorization: Bearer TOKEN'.",
            {"WWW-Authenticate": "Bearer"},
        )
