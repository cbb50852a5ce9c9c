"""`kerasft export`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from kerasft.cli.completion import complete_runs
from kerasft.cli.options import choice_option, models_dir_option, wants
from kerasft.cli.output import print_facts, print_json
from kerasft.cli.run_argument import find_run, with_runs_dir
from kerasft.cli.run_options import RunCommand
from kerasft.cli.startup import working


@click.command("export", cls=RunCommand)
@click.argument("run", shell_complete=complete_runs)
@click.option(
    "--name",
    help="Name of the model  [default: recipe, plus the dataset if it is not the recipe's]",
)
@models_dir_option
@choice_option(
    "--format",
    ("saved_model", "onnx", "litert", "huggingface", "preset"),
    "saved_model",
    "A SavedModel that takes raw inputs, a graph that takes prepared inputs (ONNX, LiteRT), a "
    "Hugging Face folder, or the fine-tuned backbone as a KerasHub preset",
)
@click.option(
    "--quantize",
    type=click.Choice(["float16", "dynamic", "int8"]),
    help="Smaller LiteRT graph: float16 weights, int8 weights (dynamic), or int8 weights and "
    "activations  [default: float32]",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, 1, min_open=True),
    help="Largest loss of the main metric by --quantize, at 95% confidence (of an error: a share "
    "of it)  [default: 0.01]",
)
@click.option(
    "--proof-data",
    metavar="INPUT",
    help="File, folder, table or text for the proof  [default: validation split of the run]",
)
@click.option("--force", is_flag=True, help="Export a run whose fit failed or was interrupted")
@with_runs_dir
def export_command(run: str, runs_dir: str, **options: Any) -> None:
    """Export a RUN as a SavedModel, an ONNX or LiteRT graph, a Hugging Face folder, or a preset.

    A SavedModel includes its preprocessing: it takes raw images or texts. ONNX and LiteRT take
    pixels or tokens. Before an export appears, a fresh process with its runtime alone answers up to
    32 validation examples, which are stored in its proof.json. If its answers differ from Python's,
    nothing is exported (exit code 4); nor if a quantized graph may be too much worse (--margin).

    A Hugging Face folder is loaded by transformers; for texts pooled by a mean, the default, by
    sentence-transformers. The families are BERT, DistilBERT, RoBERTa, ViT and ResNet.
    """
    path, format = find_run(run, runs_dir), options["format"]
    with working():
        import kerasft

        folder = kerasft.export(path, **options)
        exported = kerasft.load_run(path)
    if wants("json"):
        print_json({"run": path, "path": folder, "format": format})
    elif wants("quiet"):
        click.echo(folder)
    else:
        facts = {"exported": str(folder), "load": _how_to_load(folder, format, exported)}
        next_commands = _next(folder, format)
        print_facts(facts | ({"next": next_commands} if next_commands else {}))


def _how_to_load(folder: Path, format: str, run: Any) -> list[str]:
    if format == "preset":
        return [
            "import keras_hub",
            f"backbone = keras_hub.models.Backbone.from_preset({str(folder)!r})",
        ]
    if format == "huggingface":
        from kerasft.runs import read_json
        from kerasft.serving.huggingface.usage import how_to_call

        class_name = read_json(folder / "manifest.json")["class"]
        return how_to_call(class_name, str(folder), pairs=run.pairs)
    if format != "saved_model":
        example = run.modality.typed_example(pairs=run.pairs)
        return [f"kerasft predict {shlex.quote(str(folder))} {example}"]
    values = run.modality.served_examples(pairs=run.pairs)
    given = ", ".join(f"tf.constant([{value}])" for value in values)
    return [
        f"import {', '.join(('tensorflow as tf', *run.modality.serving_imports))}",
        f"model = tf.saved_model.load({str(folder)!r})",
        f"model.serve({given})['prediction']",
    ]


def _next(folder: Path, format: str) -> list[str]:
    """Return the commands that use a version of an exported model; none for a preset."""
    if format == "preset":
        return []
    version, model = (shlex.quote(str(path)) for path in (folder, folder.parent))
    serve = [f"kerasft serve {model}"] if format == "saved_model" else []
    return [f"kerasft verify {version}", *serve]
