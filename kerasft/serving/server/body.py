"""The body of a request: read within limits, then parsed as JSON."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from kerasft.serving.server.settings import Limits

# Requests that are answered at the same time hold at most so many times the largest body.
_BODIES = 8


class BodyReader:
    """Reads bodies, and bounds the memory of all of them together.

    Args:
        limits: Limits of a request.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    @contextlib.asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """Read the body of a request, and count its memory until the end of the context.

        Raises:
            HTTPException: The body is encoded or too large, or memory is full.
        """
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding != "identity":
            raise HTTPException(
                415, f"Content-Encoding '{encoding[:20]}' is not accepted: send the body as it is."
            )
        self._check(_declared_length(request))
        chunks, length = [], 0
        try:
            async for chunk in request.stream():
                self._held += len(chunk)
                length += len(chunk)
                self._check(length)
                chunks.append(chunk)
            body = b"".join(chunks)
            chunks.clear()  # not held twice until the answer
            yield body
        except ClientDisconnect:
            raise HTTPException(400, "The connection was closed before the body ended.") from None
        finally:
            self._held -= length

    def _check(self, length: int) -> None:
        most = self._limits.body
        if length > most:
            raise HTTPException(413, f"The body is larger than {most:,} bytes.")
        if self._held > _BODIES * most:
            raise HTTPException(
                429,
                "Other requests hold too much memory. Send this one again later.",
                {"Retry-After": "1"},
            )


def _declared_length(request: Request) -> int:
    length = request.headers.get("content-length", "0")
    return int(length) if length.isdigit() else 0


def parse_object(body: bytes, depth: int) -> dict[str, Any]:
    """Return the JSON object of a body; NaN and Infinity are numbers.

    Args:
        body: Body.
        depth: Deepest nesting of lists and objects.

    Raises:
        HTTPException: The body is no JSON object, or is nested too deeply.
    """
    try:
        value = json.loads(body.decode())
    except UnicodeDecodeError as error:
        raise HTTPException(400, f"The body is not UTF-8 (byte {error.start}).") from None
    except json.JSONDecodeError as error:
        raise HTTPException(400, f"The body is not JSON: {error}.") from None
    except (RecursionError, ValueError):  # ValueError: a number of thousands of digits
        raise HTTPException(400, "The body has a value that cannot be read.") from None
    if not isinstance(value, dict):
        raise HTTPException(400, f"The body is {type(value).__name__}, expected a JSON object.")
    _check_depth(value, depth)
    return value


def _check_depth(value: Any, most: int) -> None:
    level = [value]  # lists and objects of one depth
    for _ in range(most):
        level = [item for outer in level for item in _items(outer) if isinstance(item, dict | list)]
    if level:
        raise HTTPException(400, f"Lists and objects are nested deeper than {most}.")


def _items(outer: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return outer.values() if isinstance(outer, dict) else outer
