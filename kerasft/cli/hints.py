"""Hints for what people type by habit: names of other tools, shortened options, bare values."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import click

from kerasft.dataset_check import TABLE_EXTENSIONS
from kerasft.errors import did_you_mean
from kerasft.formatting import option_name
from kerasft.paths import expanded
from kerasft.setting_declaration import Setting, find_alias

# Command lines by the names that other tools give them.
_COMMANDS = {
    "fit": ("train", "finetune", "fine-tune", "fine_tune", "learn", "run", "start"),
    "tune": ("search", "sweep", "hpo", "optimize"),
    "evaluate": ("eval", "test", "score", "validate", "metrics"),
    "predict": ("infer", "inference", "classify", "apply"),
    "list": ("recipes", "ls", "models"),
    "show": ("info", "describe", "settings"),
    "find-lr": ("lr", "lr-find", "lrfind", "find_lr"),
    "report": ("plot", "html"),
    "runs compare": ("compare", "diff"),
    "runs delete": ("delete", "remove", "rm"),
    "export": ("save", "serve", "deploy"),
    "copy": ("new", "init", "create"),
    "doctor": ("check", "env"),
    "fit RECIPE --resume": ("resume", "continue"),
    "--version": ("version",),
}
# Options that are not settings, by the names that other tools give them.
_OPTIONS = {
    "--runs-dir": ("output_dir", "out", "outdir", "runs"),
    "--max-trials": ("trials", "n_trials", "num_trials", "trails"),
}


def command_hint(name: str, known: Collection[str]) -> str:
    """Return a hint at the command that is meant, or an empty string.

    Args:
        name: Name as it was typed.
        known: Names of all commands.
    """
    for line, others in _COMMANDS.items():
        if name.lower() in others and "fit" in known:
            return f" Did you mean: kerasft {line}?"
    return did_you_mean(name, known)


def option_hint(name: str, known: Collection[str], found: Mapping[str, Setting]) -> str:
    """Return a hint at the option that is meant, or an empty string.

    Args:
        name: Option as it was typed.
        known: Options that the help lists.
        found: Settings whose aliases are searched.
    """
    typed = name.lower().replace("_", "-")
    if typed in known:
        return f" Did you mean '{typed}'?"
    alias = typed.lstrip("-").replace("-", "_")
    setting = find_alias(alias, found)
    others = (option for option, aliases in _OPTIONS.items() if alias in aliases)
    meant = option_name(setting) if setting else next(others, "")
    return f" Did you mean '{meant}'?" if meant in known else did_you_mean(typed, known)


def listed_options(context: click.Context) -> list[str]:
    """Return the options that the help of a command lists."""
    found = []
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record:
            words = set(re.split(r"[\s,/]+", record[0]))
            names = (*parameter.opts, *parameter.secondary_opts)
            found += [name for name in names if name in words]
    return found


def looks_like_dataset(text: str) -> bool:
    """Return whether an argument is a dataset: a folder, a table, `tfds:` or `builtin:`."""
    path = expanded(text)
    return (
        text.startswith(("tfds:", "builtin:"))
        or path.suffix.lower() in TABLE_EXTENSIONS
        or path.is_dir()
    )


def dataset_as_recipe(command: str, text: str) -> str:
    """Return the message about a dataset where a recipe is expected.

    Args:
        command: The command, as in `kerasft fit`.
        text: The dataset.
    """
    table = Path(text).suffix.lower() in TABLE_EXTENSIONS
    recipe = "minilm_tickets" if table else "resnet_digits"
    return (
        f"{text} is a dataset, not a recipe. Name a recipe first (kerasft list), for example: "
        f"{command} {recipe} --dataset {shlex.quote(text)}"
    )


def surplus_hint(arguments: Sequence[str], known: Collection[str]) -> str:
    """Return a hint about arguments after a recipe, where only options are expected.

    Args:
        arguments: The arguments that are not options.
        known: Names of the settings.
    """
    name, equals, value = arguments[0].lstrip("-").partition("=")
    setting = name.replace("-", "_")
    if setting in known:
        value = value if equals else " ".join(arguments[1:2]) or "VALUE"
        return f"Did you mean {option_name(setting)} {value}?"
    if looks_like_dataset(arguments[0]):
        return f"Did you mean --dataset {shlex.quote(arguments[0])}?"
    return "Settings are options, such as --epochs 3."
