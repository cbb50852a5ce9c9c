"""Fits over several seeds, written after each one and not made again."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def series_parser(description: str | None, *, only: str, seeds: str) -> argparse.ArgumentParser:
    """Returns the options of a series.

    Args:
        description: Docstring of the benchmark.
        only: Names that are measured by default, with commas.
        seeds: Seeds by default, with commas.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", default=only, help=f"of {only}, with commas")
    parser.add_argument("--seeds", default=seeds)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="instead of a default, in every fit")  # fmt: skip
    parser.add_argument("--json", type=Path, help="of one --set each")
    return parser


def fits_of_series(
    arguments: argparse.Namespace,
    names: Iterable[str],
    measure: Callable[[str, int], dict[str, Any]],
    *,
    key: str = "set",
) -> list[dict[str, Any]]:
    """Returns a fit for every name and seed; those in the file `--json` are not made again.

    Args:
        arguments: Options of `series_parser`.
        names: What is measured.
        measure: Function from a name and a seed to the figures of a fit.
        key: Key of the name in a fit.
    """
    path = arguments.json
    found = json.loads(path.read_text()) if path and path.exists() else []
    for name in names:
        for seed in map(int, arguments.seeds.split(",")):
            if any(fit[key] == name and fit["seed"] == seed for fit in found):
                continue
            found.append({key: name, "seed": seed, **measure(name, seed)})
            print(found[-1], file=sys.stderr, flush=True)
            if path:
                path.write_text(json.dumps(found, indent=1))
    return found


def fits_in_folder(
    arguments: argparse.Namespace,
    names: Iterable[str],
    measure: Callable[[str, int, argparse.Namespace, Path], dict[str, Any]],
) -> list[dict[str, Any]]:
    """Returns `fits_of_series` of a function that also gets the options and a temporary folder."""
    with tempfile.TemporaryDirectory() as made:
        return fits_of_series(
            arguments, names, lambda name, seed: measure(name, seed, arguments, Path(made))
        )
