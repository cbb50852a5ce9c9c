"""Limits and settings of a server."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limits:
    """What a request may ask for.

    Attributes:
        body: Largest body of a request, in bytes.
        batch: Most instances in a request, and in a batch of merged requests.
        pixels: Most pixels of an image, over all frames of an animation; the images of a request,
            and of a batch, may have four times as many together.
        depth: Deepest nesting of lists and objects in JSON.
        queue: Most requests for a model whose body has arrived, at one time.
        timeout: Longest time for an answer, in seconds.
        connections: Most connections at one time.
    """

    body: int = 32 * 2**20
    batch: int = 64
    pixels: int = 40_000_000
    depth: int = 20
    queue: int = 256
    timeout: float = 30.0
    connections: int = 512  # systems often allow a process 1,024 open files


@dataclass(frozen=True)
class Settings:
    """Settings of a server.

    Attributes:
        token: Bearer token that requests must carry, None for none.
        poll: Seconds between two looks for new versions.
        drain: Seconds in which requests are still accepted after SIGTERM.
        limits: Limits of a request.
    """

    token: str | None = None
    poll: float = 2.0
    drain: float = 5.0
    limits: Limits = field(default_factory=Limits)
