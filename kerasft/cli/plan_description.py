"""The plan of a fit: as JSON, and as lines for people."""

from __future__ import annotations

import dataclasses
from typing import Any

from kerasft.cli.output import size
from kerasft.formatting import counted, duration, number


def describe_plan(plan: Any) -> dict[str, Any]:
    """Return the JSON of a plan."""
    found = dataclasses.asdict(plan)
    found["downloads"] = [download._asdict() for download in plan.downloads]
    if plan.model is not None:
        found["model"]["seconds"] = plan.model.seconds
    return found


def plan_facts(plan: Any) -> dict[str, Any]:
    """Return the lines about a plan."""
    counts = ", ".join(f"{count:,} {split}" for split, count in plan.examples.items())
    facts: dict[str, Any] = {}
    if plan.downloads:
        facts["download"] = [f"{each.what} from {each.host}" for each in plan.downloads]
    if counts:
        facts["examples"] = f"{counts}; {counted(plan.steps_per_epoch, 'step')} per epoch"
    model = plan.model
    if model is not None:
        facts["model"] = f"{model.parameters:,} parameters, {model.trained:,} trained"
        facts["time"] = [_phase_line(phase) for phase in model.phases]
        facts["in all"] = f"about {duration(model.seconds)}, then evaluation"
        facts["memory"] = f"{_need(model.memory)}, without activations"
        facts["disk"] = _need(model.disk)
    return facts


def _phase_line(phase: Any) -> str:
    epochs = counted(phase.epochs, "epoch")
    line = (
        f"{phase.phase}: {epochs} of {short_duration(phase.seconds_per_epoch)} "
        f"({counted(phase.steps, 'step')} of {short_duration(phase.seconds_per_step)})"
    )
    if not phase.cached:
        return line
    return f"{line}, frozen features once in {short_duration(phase.feature_seconds)}"


def short_duration(value: float) -> str:
    """Return a short time with its unit."""
    if value < 1:
        return f"{number(float(f'{1000 * value:.2g}'))} ms"
    return f"{value:.1f} s" if value < 10 else duration(value)


def _need(need: Any) -> str:
    return f"{size(need.total)} of {size(need.free)} free"
