"""The page at `/`, for people: one document, with its style and script inside."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

_FILE = Path(__file__).parent / "page.html"


def page_route() -> Route:
    """Return the route of the page."""
    text = _FILE.read_text(encoding="utf-8")
    headers = {"Content-Security-Policy": _policy(text)}

    def page(request: Request) -> Response:
        return HTMLResponse(text, headers=headers)

    return Route("/", page)


def _policy(text: str) -> str:
    """Return a policy that allows the page's own style and script, and requests to its server."""
    inside = {
        tag: re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL) for tag in ("style", "script")
    }
    sources = {
        tag: " ".join(f"'sha256-{_digest(block)}'" for block in blocks)
        for tag, blocks in inside.items()
    }
    return (
        f"default-src 'none'; style-src {sources['style']}; script-src {sources['script']}; "
        "connect-src 'self'; img-src blob: data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def _digest(block: str) -> str:
    return base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
