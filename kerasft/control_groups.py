"""Limits of the control groups of Linux that this process is in: memory and processor time.

A container, a unit of systemd and a step of Slurm are such groups. The limit of each group above
counts too. Groups of version 1 have a folder for every controller, those of version 2 only one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_ROOT = Path("/")
# Limits, used bytes, and the entry of `memory.stat` for cached files; version 2, then version 1.
_MEMORY_FILES = (
    (("memory.max", "memory.high"), "memory.current", "inactive_file"),
    (("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file"),
)


def group_memory(root: Path = _ROOT) -> float:
    """Return the bytes of memory that the groups allow, infinite without a limit.

    Args:
        root: Folder with `proc` and `sys`.
    """
    return min((limit for limit, _ in _memory(root)), default=math.inf)


def free_group_memory(root: Path = _ROOT) -> float:
    """Return the bytes of memory that the groups have left, infinite without a limit.

    Cached files count as free: the system drops them where memory is needed.

    Args:
        root: Folder with `proc` and `sys`.
    """
    return min((max(limit - used, 0) for limit, used in _memory(root)), default=math.inf)


def group_cores(root: Path = _ROOT) -> float:
    """Return the cores whose time the groups allow, infinite without a limit; 1.5 is possible.

    Args:
        root: Folder with `proc` and `sys`.
    """
    return min(map(_cores, _folders("cpu", root)), default=math.inf)


def named_numbers(path: Path) -> dict[str, int]:
    """Return the numbers in a file of the system with a name and a number per line."""
    lines = (line.split() for line in _text(path).splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) > 1}


def _memory(root: Path) -> Iterator[tuple[float, float]]:
    """Yield the limit and the used bytes of every group with a limit."""
    for folder in _folders("memory", root):
        for names, current, cached in _MEMORY_FILES:
            limit = min(_number(folder / name, math.inf) for name in names)
            if limit < math.inf:
                used = _number(folder / current, 0)
                yield limit, used - named_numbers(folder / "memory.stat").get(cached, 0)


def _cores(folder: Path) -> float:
    """Return the cores that a group allows: its time in each period."""
    words = _text(folder / "cpu.max").split()
    if not words:  # version 1
        words = [_text(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
    try:
        quota, period = map(int, words)
    except ValueError:  # no such file, or no limit: `max`
        return math.inf
    return quota / period if quota > 0 else math.inf  # -1: no limit


def _folders(controller: str, root: Path) -> Iterator[Path]:
    """Yield the folders of the groups of this process that a controller limits, and those above.

    A container can show the names of its groups outside, which it does not see: those are skipped.
    """
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, name = line.split(":", 2)
        mounted = root / "sys/fs/cgroup"
        if controllers and controller not in controllers.split(","):
            continue
        # Where both versions are used, the second one has a folder beside those of the first.
        mounts = [mounted / controller] if controllers else [mounted, mounted / "unified"]
        parts = PurePosixPath(name.lstrip("/")).parts
        for folder in mounts:
            deepest = folder if ".." in parts else folder.joinpath(*parts)
            yield from (each for each in (deepest, *deepest.parents) if each.is_relative_to(folder))


def _number(path: Path, default: float) -> float:
    """Return the number in a file; `default` if there is none, or `max`."""
    try:
        return int(_text(path))
    except ValueError:
        return default


def _text(path: Path) -> str:
    """Return the text of a file of the system, empty if this system does not have it."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
