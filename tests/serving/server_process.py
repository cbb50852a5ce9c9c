"""A server in another process, on loopback."""

import contextlib
import os
import subprocess
import sys
import time

import httpx2


class ServerProcess:
    """A running `kerasft serve`."""

    def __init__(self, words, log, **environment):
        line = [sys.executable, "-m", "kerasft", "serve", *map(str, words), "--port", "0"]
        self.log = log
        with open(log, "w") as file:
            self.process = subprocess.Popen(
                line, stdout=subprocess.PIPE, stderr=file, text=True,
                env={**os.environ, **environment},
            )  # fmt: skip
        self.url = self.process.stdout.readline().strip()

    def wait_until(self, text, seconds=120):
        """Waits until the log has a text."""
        end = time.monotonic() + seconds
        while text not in self.log.read_text():
            assert time.monotonic() < end, f"no {text!r} in: {self.log.read_text()}"
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)

    def client(self, **options):
        return httpx2.Client(base_url=self.url, timeout=60, **options)

    def stop(self):
        """Ends the process with SIGTERM, and returns its exit code."""
        self.process.terminate()
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        return code


@contextlib.contextmanager
def serving(words, folder, **environment):
    """Starts a server, waits until it is ready, and stops it after the body."""
    server = ServerProcess([*words, "--drain", "0"], folder / "serve.log", **environment)
    try:
        server.wait_until("ready: ")
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()
