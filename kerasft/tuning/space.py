"""The search space: the settings that a search may change, as dimensions of KerasTuner.

A recipe declares it: `hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")`. The command line
changes it: `--space learning_rate=1e-5..1e-2:log`. Every name and bound is checked against the
recipe's Config before the first trial.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import keras_tuner

from kerasft.config import Config
from kerasft.errors import SettingError, did_you_mean
from kerasft.recipe_errors import errors_in
from kerasft.setting_declaration import Setting, settings

_SYNTAX = "NAME=LOW..HIGH, NAME=LOW..HIGH:log, NAME=LOW..HIGH:STEP or NAME=A,B,C"
_FIGURES = 4
_MOST_STEPS = 10_000  # KerasTuner lists the values


def make_space(
    recipe: ModuleType,
    config: Config,
    *,
    fixed: Sequence[str] = (),
    changes: Sequence[str] = (),
) -> keras_tuner.HyperParameters:
    """Return the search space of a recipe.

    Args:
        recipe: A recipe module. Without `search_space(hp)` the learning rate is searched from a
            tenth to ten times its default.
        config: Settings of trial 0, the defaults of the space where it contains them.
        fixed: Names of settings that are fixed.
        changes: Dimensions in the syntax of `--space`, which replace or extend those of the
            recipe: `learning_rate=1e-5..1e-2:log`, `dropout=0,0.1,0.3`, `trainable_blocks=1..4`,
            `epochs=4..12:4` (a step).

    Raises:
        SettingError: A name is not a setting, a bound is out of range, or no dimension is left.

    Example:
        >>> make_space(resnet_digits, resnet_digits.Config(), changes=["dropout=0,0.1,0.3"])
    """
    declared = _declared(recipe, config)
    dimensions = {hp.name: hp for hp in declared.space if hp.name not in fixed}
    for text in changes:
        changed = _parse(text, config)
        if changed.name in fixed:
            raise SettingError(
                f"`{changed.name}` is passed as a setting, which fixes it, and as --space {text}. "
                "Leave one of them out."
            )
        dimensions[changed.name] = changed
    if not dimensions:
        raise SettingError(
            "No setting is left to search: all of the search space are passed and fixed. Pass "
            f"fewer, or add a dimension with --space {_SYNTAX}."
        )
    known = settings(config)
    for hp in dimensions.values():
        _check(hp, known)
    space = keras_tuner.HyperParameters()
    space.merge([_with_default(hp, getattr(config, hp.name)) for hp in dimensions.values()])
    return space


def _declared(recipe: ModuleType, config: Config) -> keras_tuner.HyperParameters:
    space = keras_tuner.HyperParameters()
    declare = getattr(recipe, "search_space", None)
    if declare is None:
        rate = config.learning_rate
        space.Float("learning_rate", rate / 10, rate * 10, sampling="log")
        return space
    with errors_in(recipe, "search_space"):
        declare(space)
    return space


def _parse(text: str, config: Config) -> Any:
    """Return the dimension of one --space option."""
    name, equals, values = text.partition("=")
    name = name.strip().replace("-", "_")
    known = settings(config)
    if not equals or not values.strip():
        raise SettingError(f"--space must be {_SYNTAX}. Received: {text!r}.")
    if name not in known:
        raise SettingError(
            f"--space {text}: setting `{name}` not found.{did_you_mean(name, known)}"
        )
    setting = known[name]
    one = keras_tuner.HyperParameters()
    try:
        if ".." in values:
            _add_range(one, setting, values)
        else:
            choices = [setting.check(_read(setting, value)) for value in values.split(",")]
            if set(choices) == {True, False} and setting.type is bool:
                one.Boolean(name)
            else:
                one.Choice(name, list(dict.fromkeys(choices)))
    except (ValueError, TypeError) as error:
        raise SettingError(f"--space {text}: {error}") from error
    return one.space[0]


def _add_range(space: keras_tuner.HyperParameters, setting: Setting, text: str) -> None:
    bounds, _, rule = text.partition(":")
    low, high = (setting.check(_read(setting, part)) for part in bounds.split("..", 1))
    if setting.type not in (int, float):
        raise ValueError(f"`{setting.name}` has no range: list its values, separated by commas")
    if not low < high:
        raise ValueError("the lower end of the range must be below the upper one")
    options: dict[str, Any] = {"sampling": "log"} if rule == "log" else {}
    if rule and rule != "log":
        options["step"] = _read(setting, rule)
        if not 1 <= (high - low) / max(options["step"], 1e-300) <= _MOST_STEPS:
            raise ValueError(
                f"the step {rule.strip()} must divide the range into 1 to {_MOST_STEPS:,} steps"
            )
    add = space.Int if setting.type is int else space.Float
    add(setting.name, low, high, **options)


def _read(setting: Setting, text: str) -> Any:
    text = text.strip()
    if setting.type is str:
        return text
    if setting.type is bool:
        words = {"true": True, "yes": True, "false": False, "no": False}
        if text.lower() not in words:
            raise ValueError(f"`{setting.name}` is true or false, not {text!r}")
        return words[text.lower()]
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
    return setting.type(number) if number == int(number) or setting.type is float else number


def _check(hp: Any, known: Mapping[str, Setting]) -> None:
    """Refuse a dimension with values that its setting does not accept."""
    if hp.name not in known:
        raise SettingError(
            f"The search space has `{hp.name}`, which is not a setting."
            f"{did_you_mean(hp.name, known)}"
        )
    if not known[hp.name].searchable:
        raise SettingError(
            f"`{hp.name}` cannot be searched: trials that differ in it cannot be compared."
        )
    for value in possible_values(hp):
        known[hp.name].check(value)


def possible_values(hp: Any) -> list[Any]:
    """Return the choices of a dimension, or the ends of its range."""
    if isinstance(hp, keras_tuner.engine.hyperparameters.Boolean):
        return [True, False]
    if hasattr(hp, "min_value"):
        return [hp.min_value, hp.max_value]
    return list(hp.values)


def contains(hp: Any, value: Any) -> bool:
    """Return whether a dimension contains a value."""
    possible = possible_values(hp)
    if hasattr(hp, "min_value"):
        if not isinstance(value, (int, float)):  # None for a default of the preset
            return False
        if getattr(hp, "step", None) is not None:
            return any(math.isclose(value, other) for other in hp.values)
        return bool(possible[0] <= value <= possible[1])
    return value in possible


def _with_default(hp: Any, default: Any) -> Any:
    """Return the dimension with a default, if it contains that value."""
    config = hp.get_config()
    config["default"] = default if contains(hp, default) else None
    return type(hp).from_config(config)


def rounded(space: keras_tuner.HyperParameters, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return proposed values rounded to four significant digits, inside their ranges.

    Tables and printed commands then show the exact values of a trial. KerasTuner's own entries
    (`tuner/...`) are left out.
    """
    found = {}
    for hp in space.space:
        if hp.name not in values:
            continue
        value = values[hp.name]
        if isinstance(value, float):
            value = float(f"{value:.{_FIGURES}g}")
            if hasattr(hp, "min_value"):
                value = min(max(value, hp.min_value), hp.max_value)
        found[hp.name] = value
    return found


def describe_space(space: keras_tuner.HyperParameters) -> list[dict[str, Any]]:
    """Return the dimensions as plain values, for the journal and messages."""
    return [
        {
            "kind": type(hp).__name__,
            **{k: v for k, v in hp.get_config().items() if k != "conditions"},
        }
        for hp in space.space
    ]


def space_from(described: Sequence[Mapping[str, Any]]) -> keras_tuner.HyperParameters:
    """Return a search space from its description by `describe_space`."""
    space = keras_tuner.HyperParameters()
    kinds = keras_tuner.engine.hyperparameters
    for dimension in described:
        rest = {key: value for key, value in dimension.items() if key != "kind"}
        kind = getattr(kinds, dimension["kind"])
        space.merge([kind.from_config({**rest, "conditions": []})])
    return space


def space_line(hp: Any) -> str:
    """Return a dimension in the syntax of --space."""
    if hasattr(hp, "min_value"):
        step = getattr(hp, "step", None)
        whole = type(hp).__name__ == "Int"
        rule = f":{step:g}" if step is not None and not (whole and step == 1) else ""
        rule = ":log" if hp.sampling == "log" else rule
        return f"{hp.name}={hp.min_value:g}..{hp.max_value:g}{rule}"
    return f"{hp.name}={','.join(str(value) for value in possible_values(hp))}"
