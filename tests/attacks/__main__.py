"""Carry out the attacks, and print how many held in each group.

    python -m tests.attacks                          # all groups
    python -m tests.attacks --group images --group tables
    python -m tests.attacks --group fuzz --seed 7 --cases 2000

An attack holds if the exit code is the documented one, the culprit is named in lines of at most
700 characters without a traceback, no input is changed, and nothing is left behind. The exit code
is 1 if one does not hold; its command line and what did not hold are printed.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import click

from tests.attacks.attack import Attack, Place, faults_of
from tests.attacks.groups import GROUPS
from tests.attacks.shared import Get, filled_in, make_shared


@click.command()
@click.option(
    "--group", "groups", multiple=True, type=click.Choice(list(GROUPS)), help="Only this group"
)
@click.option("--seed", default=0, help="Seed of the group fuzz", show_default=True)
@click.option("--cases", default=200, help="Cases of the group fuzz", show_default=True)
@click.option("--match", default="", help="Only attacks whose name contains this text")
def run(groups: Sequence[str], match: str, **fuzzing: int) -> None:
    """Carry out the attacks of all groups, or of some."""
    with tempfile.TemporaryDirectory(prefix="attacks-") as root:
        shared = make_shared(filled_in(Path(root)))
        counts = []
        for name in groups or GROUPS:
            options = fuzzing if name == "fuzz" else {}
            found = [each for each in GROUPS[name].attacks(**options) if match in each.name]
            counts.append(_carry_out(name, found, shared))
    total, failed = (sum(part) for part in zip(*counts, strict=True))
    click.echo(f"{'total':<14}{total:>6} attacks{failed:>6} failed")
    raise SystemExit(1 if failed else 0)


def _carry_out(name: str, attacks: Sequence[Attack], shared: Get) -> tuple[int, int]:
    """Carry out a group, print its line, and return how many attacks it has and how many failed."""
    began = time.monotonic()
    failed = sum(not _holds(attack, shared) for attack in attacks)
    seconds = time.monotonic() - began
    click.echo(f"{name:<14}{len(attacks):>6} attacks{failed:>6} failed{seconds:>8.0f} s")
    return len(attacks), failed


def _holds(attack: Attack, shared: Get) -> bool:
    with tempfile.TemporaryDirectory(prefix="attack-") as folder:
        faults = faults_of(attack, Place(Path(folder), shared))
    if faults:
        click.echo(f"{attack}\n  {attack.line()}")
        for fault in faults:
            click.echo(f"  - {fault}")
    return not faults


if __name__ == "__main__":
    run()
