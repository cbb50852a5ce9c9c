"""Load on `kerasft serve`: throughput, latency, memory and version switches, on loopback.

    python -m tests.benchmarks.serving saved_models/minilm_tickets --text "where is my parcel?"
    python -m tests.benchmarks.serving saved_models/resnet_digits --image image.png --json out.json

The generator is bounded: a fixed number of connections, each with one request at a time. It runs
on the machine of the server and takes a part of its cores. Parts:

- direct: calls of the SavedModel in this process, batches of 1 and 32
- throughput: a server that batches and one with --max-batch 1, over 1 to 64 connections; the best
  rate whose 99th percentile is within --budget milliseconds
- memory: resident memory of the server over --requests requests
- switches: --switches new versions under load, with the requests that were lost
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONNECTIONS = (1, 4, 16, 32, 64)
SECONDS = 8.0


class Server:
    """A running server of one model."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.name = folder.name
        line = [sys.executable, "-m", "kerasft", "serve", str(folder), "--port", "0", *options]
        self._process = subprocess.Popen(
            [*line, "--drain", "0", "-q"], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip().removeprefix("http://")
        while self.get("/v2/health/ready")[0] != 200:
            time.sleep(0.1)

    def get(self, path: str) -> tuple[int, bytes]:
        """Returns status and body."""
        connection = http.client.HTTPConnection(self.address, timeout=120)
        connection.request("GET", path)
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found

    @property
    def megabytes(self) -> float:
        """Resident memory."""
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        (line,) = [line for line in text.splitlines() if line.startswith("VmRSS")]
        return int(line.split()[1]) / 1024

    def stop(self) -> None:
        """Ends the process."""
        self._process.terminate()
        self._process.wait()


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[Server]:
    """Starts a server, and stops it after the body."""
    server = Server(folder, *options)
    try:
        yield server
    finally:
        server.stop()


class Load:
    """Connections that send one request after the other until a count or a time is reached."""

    def __init__(self, server: Server, body: bytes, connections: int) -> None:
        self.seconds: list[float] = []
        self.failures: dict[str, int] = {}
        self._server, self._body = server, body
        self._stop, self._left, self._lock = threading.Event(), 0, threading.Lock()
        self._threads = [threading.Thread(target=self._send) for _ in range(connections)]

    def _take(self) -> bool:
        with self._lock:
            self._left -= 1
            return self._left >= 0 and not self._stop.is_set()

    def _send(self) -> None:
        connection = http.client.HTTPConnection(self._server.address, timeout=60)
        while self._take():
            begun = time.perf_counter()
            try:
                connection.request("POST", f"/v1/models/{self._server.name}:predict", self._body)
                answer = connection.getresponse()
                answer.read()
                failure = "" if answer.status == 200 else str(answer.status)
            except (OSError, http.client.HTTPException) as error:
                failure = type(error).__name__
                connection.close()
            self.seconds.append(time.perf_counter() - begun)
            if failure:
                self.failures[failure] = self.failures.get(failure, 0) + 1
        connection.close()

    def begin(self, requests: int = sys.maxsize) -> None:
        """Starts the connections."""
        self._left = requests
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stops the connections."""
        self._stop.set()
        self.wait()

    def wait(self) -> None:
        """Waits until all requests are answered."""
        for thread in self._threads:
            thread.join()


def milliseconds(seconds: list[float]) -> dict[str, float]:
    """Returns the median and the 99th percentile."""
    ordered = sorted(seconds)
    return {
        "p50": 1000 * statistics.median(ordered),
        "p99": 1000 * ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))],
    }


def newest(folder: Path) -> Path:
    """Returns the newest version of a model."""
    versions = [path for path in folder.iterdir() if path.name.isdigit()]
    return max(versions, key=lambda path: int(path.name))


def direct(folder: Path, value: Any) -> dict[str, Any]:
    """Returns the times of calls without a server, in a process of their own."""
    program = (
        "import json, sys, time; import tensorflow as tf, tensorflow_text\n"
        "path, size, content = sys.argv[1], int(sys.argv[2]), sys.stdin.buffer.read()\n"
        "serve = tf.saved_model.load(path).signatures['serving_default']\n"
        "(name,) = serve.structured_input_signature[1]\n"
        "batch, found = {name: tf.constant([content] * size)}, []\n"
        "for _ in range(10 + 200):\n"
        "    begun = time.perf_counter(); serve(**batch)['prediction'].numpy()\n"
        "    found.append(time.perf_counter() - begun)\n"
        "print(json.dumps(found[10:]))\n"
    )
    rows = {}
    for size in (1, 32):
        line = [sys.executable, "-c", program, str(newest(folder)), str(size)]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(line, input=value, capture_output=True, check=True, env=environment)
        seconds = json.loads(done.stdout.splitlines()[-1])
        rows[str(size)] = {"rate": size / statistics.mean(seconds), **milliseconds(seconds)}
    return rows


def throughput(folder: Path, body: bytes, budget: float) -> dict[str, Any]:
    """Returns rates and times with and without batching, and their best rates in a budget."""
    found: dict[str, Any] = {}
    for kind, options in (("batched", ()), ("one at a time", ("--max-batch", "1"))):
        rows = {}
        with serving(folder, *options) as server:
            for connections in CONNECTIONS:
                load = Load(server, body, connections)
                load.begin()
                time.sleep(SECONDS)
                load.end()
                rows[str(connections)] = {
                    "rate": len(load.seconds) / SECONDS,
                    **milliseconds(load.seconds),
                    "failures": load.failures,
                }
        within = [row["rate"] for row in rows.values() if row["p99"] <= budget]
        found[kind] = {"connections": rows, "best rate in budget": max(within, default=0.0)}
    return found


def memory(folder: Path, body: bytes, requests: int) -> dict[str, Any]:
    """Returns the resident memory of a server after a tenth and after all requests."""
    with serving(folder) as server:
        sizes, failures = [server.megabytes], {}
        for count in (requests // 10, requests - requests // 10):
            load = Load(server, body, 16)
            load.begin(count)
            load.wait()
            sizes.append(server.megabytes)
            failures |= load.failures
    return {"requests": requests, "megabytes": sizes, "failures": failures}


def switches(folder: Path, body: bytes, count: int) -> dict[str, Any]:
    """Returns requests and losses while versions replace each other, and the memory."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / folder.name
        shutil.copytree(newest(folder), root / "1")
        with serving(root, "--poll", "0.05") as server:
            load, sizes = Load(server, body, 8), [server.megabytes]
            load.begin()
            begun = time.perf_counter()
            for number in range(2, count + 2):
                shutil.copytree(root / str(number - 1), root / ".next")
                (root / ".next").rename(root / str(number))
                while f'"{number}"' not in server.get(f"/v1/models/{root.name}")[1].decode():
                    time.sleep(0.02)
                while b"LOADING" in server.get(f"/v1/models/{root.name}")[1]:
                    time.sleep(0.02)
                shutil.rmtree(root / str(number - 1))
                if number % 10 == 1:
                    sizes.append(server.megabytes)
            seconds = time.perf_counter() - begun
            load.end()
    about = {"switches": count, "seconds": seconds, "requests": len(load.seconds)}
    return {**about, "lost": load.failures, "megabytes": sizes, **milliseconds(load.seconds)}


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of an exported model")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--text", help="input of a text model")
    kind.add_argument("--image", type=Path, help="input of an image model")
    parser.add_argument("--budget", type=float, default=250.0, help="milliseconds for the p99")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--switches", type=int, default=100)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    content = arguments.image.read_bytes() if arguments.image else arguments.text.encode()
    value: Any = arguments.text or {"b64": base64.b64encode(content).decode()}
    body = json.dumps({"instances": [value]}).encode()
    folder = arguments.folder.resolve()
    results = {
        "direct": direct(folder, content),
        "throughput": throughput(folder, body, arguments.budget),
        "memory": memory(folder, body, arguments.requests),
        "switches": switches(folder, body, arguments.switches),
    }
    print(json.dumps(results, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
