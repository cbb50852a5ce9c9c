"""What a new run is reported as: to programs and to people."""

from __future__ import annotations

import shlex
from typing import Any

from kerasft.cli.scores import score_line


def describe(run: Any) -> dict[str, Any]:
    """Return what `--json` tells of a run that was made."""
    return {
        "run": run.name,
        "recipe": run.recipe,
        "path": run.path,
        "config": run.config,
        "metrics": run.metrics,
        "seconds": run.manifest.get("seconds"),
    }


def report(run: Any) -> dict[str, Any]:
    """Return what a person is told of a run that was made."""
    path = shlex.quote(str(run.path))
    example = "'a text'" if "text_column" in run.config else "picture.png"
    if run.pairs:
        example = r"$'a text\tits second text'"
    seconds, task = run.manifest.get("seconds"), run.labels["task"]
    return {
        **{split: score_line(task, found) for split, found in run.metrics.items()},
        "time": f"{seconds:.0f} s" if seconds is not None else None,
        "run": str(run.path),
        "next": [
            f"kerasft diagnose {path}",
            f"kerasft report {path}",
            f"kerasft predict {path} {example}",
            f"kerasft export {path}",
        ],
    }
