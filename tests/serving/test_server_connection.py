"""Connections whose headers do not arrive are closed, and no others."""

import asyncio
import contextlib

import pytest
import uvicorn
from uvicorn.server import ServerState

from kerasft.serving.server.connection import Connection

SECONDS = 0.3
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def length(scope, receive, send):
    """Answers the length of the body."""
    found, more = 0, True
    while more:
        message = await receive()
        found, more = found + len(message["body"]), message["more_body"]
    body = str(found).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def sent(parts, pause):
    """Returns what a server answers to parts of requests, and how long it took to close."""

    async def send():
        config = uvicorn.Config(
            length, http=Connection, lifespan="off", timeout_keep_alive=SECONDS, log_config=None
        )
        config.load()
        state, loop = ServerState(), asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Connection(config, state, app_state={}), "127.0.0.1", 0
        )
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            begun = loop.time()
            reading = loop.create_task(reader.read())
            for part in parts:
                with contextlib.suppress(ConnectionError):
                    writer.write(part)
                    await writer.drain()
                await asyncio.sleep(pause)
                if reading.done():
                    break
            answer = await asyncio.wait_for(reading, 10)
            seconds = loop.time() - begun
            writer.close()
        assert not state.connections
        return answer, seconds

    return asyncio.run(send())


@pytest.mark.parametrize(
    ("parts", "pause"),
    [([], 0), ([GET[:9]], 0), ([GET[:1]] + [b"A"] * 200, 0.02)],
    ids=["nothing", "half", "drops"],
)
def test_a_connection_without_headers_is_closed(parts, pause):
    answer, seconds = sent(parts, pause)
    assert answer == b""
    assert SECONDS - 0.05 < seconds < 3


def test_a_slow_body_is_read():
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
    answer, _ = sent([head, b"a", b"b", b"c"], 0.2)
    assert answer.endswith(b"\r\n\r\n3")


def test_a_connection_is_used_again():
    answer, _ = sent([GET, GET[:5], GET[5:], GET], 0.1)
    assert answer.count(b"200 OK") == 3
