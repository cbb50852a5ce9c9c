"""Summaries of a new run: as JSON, and as lines for people."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path
from typing import Any

from kerasft.cli.score_tables import score_lines
from kerasft.formatting import number


def describe(run: Any) -> dict[str, Any]:
    """Return the JSON document of a new run."""
    return {
        "run": run.name,
        "recipe": run.recipe,
        "path": run.path,
        "config": run.config,
        "metrics": run.metrics,
        "seconds": run.manifest.get("seconds"),
    }


def report(run: Any) -> dict[str, Any]:
    """Return the lines that are printed for a new run."""
    path = shlex.quote(str(run.path))
    example = run.modality.typed_example(pairs=run.pairs)
    seconds = run.manifest.get("seconds")
    return {
        **average_facts(run),
        **score_lines(run),
        "time": f"{seconds:.0f} s" if seconds is not None else None,
        "run": str(run.path),
        "next": [
            f"kerasft diagnose {path}",
            f"kerasft report {path}",
            f"kerasft predict {path} {example}",
            f"kerasft export {path}",
        ],
    }


def average_facts(run: Any) -> dict[str, str]:
    """Return the lines about an average of several runs; nothing for other runs."""
    offered = run.manifest.get("soup", [])
    if not offered:
        return {}
    taken = [shown_path(one["run"]) for one in offered if one["taken"]]
    best = offered[0]
    alone = "; the best fit alone, since no other helped" if len(taken) == 1 else ""
    scores = {split: best[split] for split in ("validation", "test")}
    metric = f" {best['metric']}" if "metric" in best else ""  # older records lack it
    found = [f"{split}{metric} {number(x)}" for split, x in scores.items() if x is not None]
    return {
        "average": f"{len(taken)} of {len(offered)} fits: {', '.join(taken)}{alone}",
        "best fit": ", ".join(found),
    }


def shown_path(path: str) -> str:
    """Return a recorded path, relative to the present folder if it is in there."""
    with contextlib.suppress(ValueError):
        return str(Path(path).relative_to(Path.cwd()))
    return path
