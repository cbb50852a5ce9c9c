"""A sentence for a process that JAX aborts from C++, where Python can say nothing any more."""

from __future__ import annotations

import atexit
import subprocess
import sys

# It waits for the end of its input, which comes with that of the process, whatever ended it.
_SCRIPT = """
import sys
if not sys.stdin.buffer.read():
    print(sys.argv[1], file=sys.stderr, flush=True)
"""


def say_if_aborted(sentence: str) -> None:
    """Let another process write a sentence to stderr if this one is aborted or killed.

    It writes nothing if this process ends by itself, also by an error.

    Args:
        sentence: What to write.
    """
    line = [sys.executable, "-I", "-S", "-c", _SCRIPT, sentence]
    # In a session of its own, so that Ctrl-C does not end it.
    waiting = subprocess.Popen(line, stdin=subprocess.PIPE, start_new_session=True)
    atexit.register(waiting.communicate, b"ended by itself")
