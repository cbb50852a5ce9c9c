"""Errors, each with its exit code on the command line."""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from kerasft.formatting import printable, shortened

_MOST = 4  # names in one suggestion
_LONGEST = 600  # characters of a line in a message
_LISTED, _LINE = 20, 200  # errors in a list, characters of each
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # a full disk, quota or file
_OUT_OF_MEMORY = {"MemoryError", "ResourceExhaustedError", "OutOfMemoryError"}

Item = TypeVar("Item")
Result = TypeVar("Result")


class KerasftError(Exception):
    """An error that a user can act on: what was received, what was expected, what to do next.

    The command line prints the message and exits with `exit_code`. Of a line above 600
    characters, such as one with a long path, the middle is left out; control characters are
    written as escapes.
    """

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        lines = printable(message).split("\n")
        super().__init__("\n".join(shortened(line, _LONGEST) for line in lines))


class SettingError(KerasftError, ValueError):
    """An invalid setting, name or option (exit code 2)."""

    exit_code = 2


class DataError(KerasftError, ValueError):
    """Unusable data: missing, empty, corrupt or mislabeled (exit code 3)."""

    exit_code = 3


class BadExamplesError(DataError):
    """Examples that cannot be used; the first twenty are listed.

    Attributes:
        reasons: Message about each of them, by its index.
    """

    def __init__(self, reasons: Mapping[int, str]) -> None:
        self.reasons = dict(reasons)
        messages = list(self.reasons.values())
        lines = [shortened(message, _LINE) for message in messages[:_LISTED]]
        more = len(messages) - _LISTED
        rest = [f"... and {more:,} more"] if more > 0 else []
        several = [f"{len(messages):,} examples cannot be used:", *lines, *rest]
        super().__init__(messages[0] if len(messages) == 1 else "\n  ".join(several))

    def __reduce__(self) -> tuple[type[BadExamplesError], tuple[Mapping[int, str]]]:
        """Return the class and its arguments, with which another process makes the same error."""
        return type(self), (self.reasons,)


def read_all(read: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Return what a function reads of every item; the errors of all bad items are one error.

    Args:
        read: Function that raises DataError for a bad item.
        items: Items, such as the rows of a table.

    Raises:
        BadExamplesError: An item is bad.

    Example:
        >>> read_all(read_label, range(table.num_rows))
    """
    found, reasons = [], dict[int, str]()
    for index, item in enumerate(items):
        try:
            found.append(read(item))
        except DataError as error:
            reasons[index] = str(error)  # not the error, which has a traceback with local variables
    if reasons:
        raise BadExamplesError(reasons)
    return found


class ResumeError(KerasftError):
    """A run that does not match its recipe, settings, preset or data (exit code 4)."""

    exit_code = 4


class ProofError(KerasftError):
    """An exported model whose answers differ from Python's (exit code 4)."""

    exit_code = 4


class DamagedFileError(KerasftError):
    """A missing or damaged file of a run or an exported model (exit code 5)."""

    exit_code = 5


class ResourceError(KerasftError):
    """Out of disk space or memory, or a lost process (exit code 6)."""

    exit_code = 6


class OutOfMemoryError(ResourceError):
    """Out of memory with batches that cannot be smaller (exit code 6)."""


class LostProcessError(ResourceError):
    """A process of a training that several share has ended (exit code 6).

    Args:
        processes: Number of processes.
        reason: What was noticed.
        command: Command that resumes the fit, empty where it is not known.
    """

    def __init__(self, processes: int, reason: str, command: str = "") -> None:
        self.processes, self.reason, self.command = processes, reason, command
        how = f"Resume it in every process: {command}" if command else "Resume it with --resume."
        super().__init__(
            f"Another of the {processes} processes of this fit ended or cannot be reached "
            f"({reason}). {how}"
        )

    def __reduce__(self) -> tuple[type[LostProcessError], tuple[int, str, str]]:
        """Return the class and its arguments, with which another process makes the same error."""
        return type(self), (self.processes, self.reason, self.command)


class NoTrialError(KerasftError):
    """A search without a completed trial (exit code 7)."""

    exit_code = 7


class DivergedError(KerasftError):
    """A loss that became NaN or infinite (exit code 1)."""


class NetworkError(KerasftError):
    """A download that is needed, from a host that cannot be reached (exit code 1)."""


def is_full_disk(error: BaseException) -> bool:
    """Return whether an error says that the disk is full: of Python, TensorFlow or HDF5."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return any(os.strerror(number) in str(error) for number in _FULL)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out: of Python, TensorFlow, JAX or PyTorch.

    Classes are compared by name: importing them would start their libraries.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    of_jax = "XlaRuntimeError" in names and "RESOURCE_EXHAUSTED" in str(error)
    return bool(names & _OUT_OF_MEMORY or of_jax) and not is_full_disk(error)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text without its period, or the name of its class.

    Example:
        >>> first_line(ValueError("Bad shape."))
        'Bad shape'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__


def name_and_first_line(error: BaseException) -> str:
    """Return `ValueError: bad shape`, or the name of the class alone without a text."""
    name, line = type(error).__name__, first_line(error)
    return name if line == name else f"{name}: {line}"


def near_names(received: str, known: Iterable[str]) -> list[str]:
    """Return the known names that are probably meant.

    These are up to four that begin with what was received, else the most similar one.

    Example:
        >>> near_names("minilm", ["bert_imdb", "minilm_tickets", "minilm_urgency"])
        ['minilm_tickets', 'minilm_urgency']
    """
    names = sorted(set(known))
    begun = [name for name in names if len(received) > 2 and name.startswith(received)]
    if 0 < len(begun) <= _MOST:
        return begun
    return difflib.get_close_matches(received, names, n=1, cutoff=0.6)


def did_you_mean(received: str, known: Iterable[str]) -> str:
    """Return `" Did you mean 'x'?"` for the known names that are near, or an empty string.

    Example:
        >>> did_you_mean("dropuot", ["dropout", "epochs"])
        " Did you mean 'dropout'?"
    """
    near = [f"'{name}'" for name in near_names(received, known)]
    if not near:
        return ""
    *most, last = near
    return f" Did you mean {', '.join(most)} or {last}?" if most else f" Did you mean {last}?"
