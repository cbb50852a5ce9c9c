"""Hide the start-up notices of TensorFlow and LiteRT; standard library only."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import warnings
from collections.abc import Iterator

# Notices of the C++ code, `I0000 00:00:1795468996.27 5259 file.cc:31] text`, and their header;
# that of LiteRT, which reads no level.
_NOTICE = re.compile(
    r"^([IWEF]\d{4} \S+ +\d+ \S+\]|WARNING: All log messages before absl|"
    r"INFO: Created TensorFlow Lite \w+ delegate)"
)
_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_QUIET = "3"
# A child process inherits the level that is set here.
_USER_DECIDES = os.environ.get(_LEVEL, _QUIET) != _QUIET


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Hide the start-up notices of TensorFlow while the body imports it.

    Nothing is changed if the user has set TF_CPP_MIN_LOG_LEVEL to another level than 3.
    """
    if _USER_DECIDES or "tensorflow" in sys.modules:
        yield
        return
    import logging

    os.environ[_LEVEL] = _QUIET
    # Warnings about retraced graphs: a search traces many.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    # KerasHub's T5 warns about its own attention, which gets the mask as an argument.
    warnings.filterwarnings("ignore", message=r"Layer '\w+' \(of type T5MultiHeadAttention\)")
    # TensorFlow 2.21 writes some notices before it reads the level: they are filtered.
    with without_notices():
        yield


@contextlib.contextmanager
def without_notices() -> Iterator[None]:
    """Buffer file descriptor 2 during the body, then write all lines but the notices.

    Nothing is changed if the user has set TF_CPP_MIN_LOG_LEVEL to another level than 3.
    """
    if _USER_DECIDES:
        yield
        return
    import tempfile

    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        terminal = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            held.seek(0)
            _pass_on(held.read().decode(errors="replace"))


def _pass_on(text: str) -> None:
    for line in text.splitlines():
        if not _NOTICE.match(line):
            print(line, file=sys.stderr, flush=True)
