"""The model card of an exported model: README.md, from its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasft.formatting import counted, number
from kerasft.modalities import MODALITIES
from kerasft.serving.huggingface.usage import how_to_call
from kerasft.tasks import Task, task_of
from kerasft.tasks.intervals import share_interval

_TEMPLATES = {
    "huggingface": "huggingface_card.md",
    "litert": "graph_card.md",
    "onnx": "graph_card.md",
}  # others: model_card.md


def model_card(manifest: Mapping[str, Any]) -> str:
    """Return the text of a model card.

    Args:
        manifest: Manifest of the exported model, without `files`.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kerasft.serving"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["number"] = number
    environment.filters["counted"] = counted
    split = next((name for name in ("test", "validation") if name in manifest["metrics"]), "")
    metrics = manifest["metrics"].get(split, {})
    kind = task_of(manifest["task"])
    modality = MODALITIES[manifest["modality"]]
    values = modality.served_examples(pairs=manifest["pairs"])
    return environment.get_template(_TEMPLATES.get(manifest["kind"], "model_card.md")).render(
        manifest=manifest,
        split=split,
        kind=kind,
        scores=_scores(kind, metrics),
        classes=_classes(metrics),
        values=values,
        imports=("tensorflow as tf", *modality.serving_imports),
        given=", ".join(f"tf.constant([{value}])" for value in values),
        lines=_lines(manifest),
    )


def _lines(manifest: Mapping[str, Any]) -> list[str]:
    """Return how a folder of Hugging Face is called; empty for a SavedModel."""
    if "class" not in manifest:
        return []
    folder = f"{manifest['name']}/{manifest['version']}"
    return how_to_call(manifest["class"], folder, pairs=manifest["pairs"])


def _scores(kind: Task, metrics: Mapping[str, Any]) -> list[tuple[str, float, str]]:
    """Return name, value and 95% interval (empty where none is computed) of the metrics."""
    shown = list(kind.shown_scores(metrics))
    others = [name for name in kind.report_metrics if name not in kind.shown_metrics]
    shown += [(kind.metric_title(name), metrics[name]) for name in others if name in metrics]
    found = []
    for title, value in shown:
        if value is not None:
            is_share = title == "accuracy" and kind.interval == "wilson"
            interval = _interval(value, metrics["examples"]) if is_share else ""
            found.append((title, value, interval))
    return found


def _classes(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the scores of every class, with the interval of its recall."""
    return [
        {**row, "interval": _interval(row["recall"], row["support"])}
        for row in metrics.get("per_class", ())
    ]


def _interval(share: float, count: int) -> str:
    if not count:
        return ""
    low, high = share_interval(share, count)
    return f"{low:.3f} to {high:.3f}"


def license_of(location: str) -> str:
    """Return the license that the model card of a preset's folder names, or an empty string."""
    path = Path(location) / "README.md"
    if not path.is_file():
        return ""
    _, marked, rest = path.read_text(encoding="utf-8", errors="replace").partition("---\n")
    header = rest.partition("\n---")[0] if marked else ""
    lines = [line.partition(":") for line in header.splitlines()]
    return next((value.strip() for key, _, value in lines if key == "license"), "")
