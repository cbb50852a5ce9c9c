"""Run a program on a pseudo terminal and return what a person sees."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios


def run_on_terminal(program: str, columns: int, **environment: str) -> str:
    """Return the raw output of a Python program on a terminal of that width."""
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")}
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=its, stdout=its, stderr=its,
        env={**kept, "TERM": "xterm-256color", **environment},
    ) as process:  # fmt: skip
        os.close(its)
        output = b""
        while part := _read(ours):
            output += part
    os.close(ours)
    assert process.returncode == 0, output.decode()
    return output.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the program has ended
        return b""


def screen(output: str) -> list[str]:
    """Return the lines that stay on the terminal: erased ones are gone."""
    lines = [""]
    for token in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", output):
        if token == "\n":
            lines.append("")
        elif token.endswith("A") and token.startswith("\x1b"):
            # Only bars are above the cursor then: the lines below are drawn again.
            del lines[-int(token[2:-1] or 1) :]
        elif token == "\x1b[2K":
            lines[-1] = ""
        elif not token.startswith("\x1b") and token != "\r":
            lines[-1] += token
    return [line.rstrip() for line in lines]
