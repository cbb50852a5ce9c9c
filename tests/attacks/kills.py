"""Kill fits, searches and exports at random moments, and compare what remains with a twin.

    python -m tests.attacks.kills --fits 120 --searches 50 --exports 30 --seed 0

Every command runs in a process of its own, forked from one that has imported TensorFlow without
running an operation. It is killed by SIGKILL or SIGTERM when it has used a random part of the
processor time of its uninterrupted twin. Fits and searches are resumed until they are done, a
quarter of them after another kill, and must then equal the twin bit for bit. Of exports, no half
version may be visible, and the next export must leave nothing hidden.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import hashlib
import importlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.attacks.at_once import IMPORTED
from tests.attacks.colors import write_colors

_AGAIN = 0.25  # share of the resumed commands that are killed once more
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Group:
    """Units of one kind: what they run, and what became of them.

    Attributes:
        command: Returns the arguments of `kerasft` for a name, and whether to resume.
        state: Returns `absent`, `begun` or `done` for a name.
        result: Returns what must equal the twin.
        problems: Returns what must not be there after a kill (`done` is False) or at the end.
        seconds: Processor time of the twin.
        expected: Result of the twin.
        counts: Kills by signal, and commands that ended before their moment.
        differences: One line for each.
    """

    command: Callable[[str, bool], list[str]]
    state: Callable[[str], str]
    result: Callable[[str], Any]
    problems: Callable[[str, bool], list[str]]
    seconds: float = 0.0
    expected: Any = None
    counts: collections.Counter[str] = field(default_factory=collections.Counter)
    differences: list[str] = field(default_factory=list)


def main() -> None:
    """Run the campaign, print a table, and exit with 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, usual in (("fits", 120), ("searches", 50), ("exports", 30), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=usual, metavar="N")
    given = parser.parse_args()
    _import_everything()
    folder = Path(tempfile.mkdtemp(prefix="kerasft-kills-"))
    os.chdir(folder)
    try:
        groups = _make_groups()
        numbers = {name: getattr(given, name) for name in groups}
        _run(groups, numbers, random.Random(given.seed))
    finally:
        os.chdir("/")
        shutil.rmtree(folder)
    print(_table(groups))
    sys.exit(any(group.differences for group in groups.values()))


def _run(groups: dict[str, Group], numbers: dict[str, int], rng: random.Random) -> None:
    """Run the twins, then the units of all groups in a random order."""
    for name, number in numbers.items():
        if number:
            _run_twin(groups[name])
            print(f"{name}: the twin took {groups[name].seconds:.1f} s", flush=True)
    units = [name for name, number in numbers.items() for _ in range(number)]
    rng.shuffle(units)
    for count, name in enumerate(units, start=1):
        found = _unit(groups[name], f"unit{count}", rng)
        groups[name].differences += [f"{name} {count}: {line}" for line in found]
        done = ", ".join(f"{kind} {n}" for kind, n in sorted(groups[name].counts.items()))
        print(f"{count}/{len(units)} {name}: {'; '.join(found) or 'equal'} ({done})", flush=True)


def _run_twin(group: Group) -> None:
    ended, group.seconds = _command(group.command("twin", False), None, signal.SIGKILL)
    if ended != 0:
        raise SystemExit(f"The twin ended with {ended}:\n{Path('log').read_text()}")
    group.expected = group.result("twin")


def _unit(group: Group, name: str, rng: random.Random) -> list[str]:
    """Kill a command and resume it until it is done; return what differs.

    A killed command with another exit code is resumed too: what it left must still be right.
    """
    found: list[str] = []
    first = True
    while group.state(name) != "done":
        kill = first or rng.random() < _AGAIN
        first = False
        moment = rng.uniform(0, group.seconds) if kill else None
        number = rng.choice((signal.SIGKILL, signal.SIGTERM))
        arguments = group.command(name, group.state(name) == "begun")
        ended, _ = _command(arguments, moment, number)
        # A process that has no handler yet ends by the signal itself.
        expected = {0, -number, *([143] if number == signal.SIGTERM else [])}
        killed = ended != 0
        group.counts[signal.Signals(number).name if killed else "ended"] += 1
        if ended not in (expected if kill else {0}):
            found.append(f"ended with {ended}: {Path('log').read_text()[-300:]!r}")
            if not kill:
                return found
        found += group.problems(name, not killed)
    return found if group.result(name) == group.expected else [*found, "another result"]


def _command(arguments: Sequence[str], moment: float | None, number: int) -> tuple[int, float]:
    """Run `kerasft` in a forked process, and kill it at a moment of its processor time.

    Returns:
        Its exit code, negative for a signal, and the processor time in seconds.
    """
    before = os.times()
    child = os.fork()
    if child == 0:
        _be_kerasft(arguments)
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if moment is not None and _processor_time(child) >= moment:
            os.kill(child, number)
            moment = None
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what a killed process leaves behind
    after = os.times()
    used = after.children_user + after.children_system
    return os.waitstatus_to_exitcode(status), used - before.children_user - before.children_system


def _be_kerasft(arguments: Sequence[str]) -> None:
    """Run `kerasft` in this process, which ends with it."""
    code = 1
    try:
        os.setpgid(0, 0)
        log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        from kerasft.cli import main as kerasft_main

        kerasft_main(list(arguments), prog_name="kerasft")
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _processor_time(group: int) -> float:
    """Return the processor time of a process group in seconds, with that of ended children."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[2]) == group:
            ticks += sum(map(int, fields[11:15]))
    return ticks / _TICKS


def _import_everything() -> None:
    """Import what every command imports; no operation of TensorFlow may run before the forks."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    for name in IMPORTED:
        importlib.import_module(name)


def _make_groups() -> dict[str, Group]:
    """Write the recipe and its pictures into the present folder; return the groups."""
    write_colors(Path())
    return {
        "fits": Group(_fit, _fit_state, _fit_result, _fit_problems),
        "searches": Group(_tune, _search_state, _search_result, _no_problems),
        "exports": Group(_export, _export_state, lambda name: None, _export_problems),
    }


def _fit(name: str, resume: bool) -> list[str]:
    return ["fit", "colors.py", "-q", "--no-cache", "--name", name, *["--resume"] * resume]


def _fit_state(name: str) -> str:
    import kerasft

    folder = Path("runs", "colors", name)
    if not (folder / "manifest.json").exists():
        return "absent"
    return "done" if kerasft.Run(folder).state == "done" else "begun"


def _fit_result(name: str) -> Any:
    import kerasft

    run = kerasft.Run(Path("runs", "colors", name))
    history = [{k: v for k, v in row.items() if k != "seconds"} for row in run.history]
    return history, run.metrics, _hash(run.weights), run.manifest["best_epoch"]


def _fit_problems(name: str, done: bool) -> list[str]:
    folder = Path("runs", "colors", name)
    if done:
        left = [path.name for path in folder.glob(".*")] + [p.name for p in folder.glob("*.lock")]
        return [f"{', '.join(left)} remained"] if left else []
    if _fit_state(name) == "begun":
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        stored = manifest["files"].get("weights.safetensors")
        if stored is not None and stored != _hash(folder / "weights.safetensors"):
            return ["its best weights so far are damaged"]
    return []


def _tune(name: str, resume: bool) -> list[str]:
    line = ["tune", "colors.py", "-q", "--epochs=2", "--max-trials=3", "--name", name]
    return [*line, "--space=dropout=0,0.2,0.5", *["--resume"] * resume]


def _search_state(name: str) -> str:
    folder = Path("searches", "colors", name)
    if not (folder / "journal.jsonl").exists():
        return "absent"
    charts = [(folder / name).exists() for name in ("objective.png", "settings.png")]
    return "done" if all(charts) else "begun"


def _search_result(name: str) -> Any:
    import kerasft

    trials = kerasft.load_search(Path("searches", "colors", name)).trials
    return [(t.number, t.values, t.epochs, t.state, t.score) for t in trials]


def _no_problems(name: str, done: bool) -> list[str]:
    return []


def _export(name: str, resume: bool) -> list[str]:
    if not Path("runs", "colors", "exported").exists():
        _command(_fit("exported", False), None, signal.SIGKILL)
    return ["export", "runs/colors/exported", "-q", "--name", name]


def _export_state(name: str) -> str:
    return "done" if any(Path("saved_models", name).glob("[0-9]*")) else "absent"


def _export_problems(name: str, done: bool) -> list[str]:
    """Return half versions, and after a whole export what is hidden."""
    folder, found = Path("saved_models", name), list[str]()
    for version in folder.glob("[0-9]*"):
        try:
            files = json.loads((version / "manifest.json").read_bytes())["files"]
            found += [
                f"{path} differs" for path, facts in files.items()
                if _hash(version / path) != facts["sha256"]
            ]  # fmt: skip
        except (OSError, ValueError, KeyError) as error:
            found.append(f"half version {version.name}: {error!r}")
    if done:
        found += [f"{path.name} remained" for path in folder.glob(".*")]
    return found


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _table(groups: dict[str, Group]) -> str:
    """Return the counts of each group, and all differences."""
    rows = [f"{'group':10}{'SIGKILL':>9}{'SIGTERM':>9}{'ended':>7}{'different':>11}"]
    for name, group in groups.items():
        counts = group.counts
        rows.append(
            f"{name:10}{counts['SIGKILL']:9}{counts['SIGTERM']:9}{counts['ended']:7}"
            f"{len(group.differences):11}"
        )
    return "\n".join([*rows, *(line for group in groups.values() for line in group.differences)])


if __name__ == "__main__":
    main()
