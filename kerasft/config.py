"""Settings: each declared once with its help, range and choices, checked wherever it is set.

A recipe's `Config` is a frozen data class that inherits from `ImageConfig` or `TextConfig` and
overrides defaults by plain assignment. The checks run on construction, so that the command
line, Python, a search and `dataclasses.replace` all meet the same message.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from dataclasses import dataclass, field
from typing import Any

from kerasft.errors import SettingError, did_you_mean

TASKS = ("classification", "multilabel", "regression")
# What a run is judged by, the most telling first; of LESS_IS_BETTER a smaller one is better.
MAIN_METRICS = {
    "classification": ("accuracy", "f1"),
    "multilabel": ("f1", "accuracy"),
    "regression": ("rmse", "r2"),
}
LESS_IS_BETTER = ("loss", "rmse", "mae")
OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop", "lion")
SCHEDULES = ("constant", "cosine", "linear", "exponential", "step", "plateau")
ConfigType = typing.TypeVar("ConfigType", bound="Config")


@dataclass(frozen=True)
class Setting:
    """One setting as the command line and the documentation show it."""

    name: str
    type: type
    optional: bool
    default: Any
    help: str
    group: str
    choices: tuple[Any, ...] | None
    minimum: float | None
    maximum: float | None
    below: float | None
    words: tuple[str, ...] = ()

    def check(self, value: Any) -> Any:
        """Returns `value` in the type of this setting, or raises SettingError."""
        if (value is None and self.optional) or (isinstance(value, str) and value in self.words):
            return value
        converted = _convert(value, self.type)
        if converted is None:
            words = "".join(f" or {word}" for word in self.words)
            self._refuse(f"must be {_words(self.type)}{words}", value)
        if self.choices is not None and converted not in self.choices:
            near = did_you_mean(str(value), map(str, self.choices))
            self._refuse(f"must be one of {', '.join(map(str, self.choices))}", value, near)
        if self.minimum is not None and converted < self.minimum:
            self._refuse(f"must be at least {self.minimum:g}", value)
        if self.maximum is not None and converted > self.maximum:
            self._refuse(f"must be at most {self.maximum:g}", value)
        if self.below is not None and converted >= self.below:
            self._refuse(f"must be below {self.below:g}", value)
        return converted

    def _refuse(self, rule: str, value: Any, hint: str = "") -> typing.NoReturn:
        raise SettingError(f"`{self.name}` {rule}. Received: {self.name}={value!r}.{hint}")


def _words(kind: type) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return names[kind]


def _convert(value: Any, kind: type) -> Any:
    """Returns value as `kind`, or None where that would change its meaning."""
    if kind is bool:
        return value if isinstance(value, bool) else None
    if kind is str:
        return value if isinstance(value, str) else None
    if isinstance(value, bool) or not (isinstance(value, (int, float)) or _is_scalar(value)):
        return None
    number = float(value)
    if not math.isfinite(number) or (kind is int and number != int(number)):
        return None
    return kind(number) if kind is float else int(value)


def _is_scalar(value: Any) -> bool:
    """NumPy's numbers are welcome, without importing NumPy."""
    return hasattr(value, "item") and getattr(value, "ndim", 1) == 0


def setting(
    default: Any,
    help: str,
    *,
    group: str = "training",
    choices: tuple[Any, ...] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    below: float | None = None,
    words: tuple[str, ...] = (),
) -> Any:
    """Declares one field of a Config with its help text and range.

    Args:
        default: The value where none is given. None makes the setting optional.
        help: One line, without a full stop, for the command line and the documentation.
        group: The heading under which the command line lists the setting.
        choices: The allowed values.
        minimum: The smallest allowed value.
        maximum: The largest allowed value.
        below: A bound that the value must stay under.
        words: What a number may be besides, such as auto.

    Example:
        >>> @dataclass(frozen=True, kw_only=True)
        ... class Config(ImageConfig):
        ...     zoom: float = setting(0.1, "Largest zoom", group="data", minimum=0, below=1)
    """
    metadata = {
        "help": help,
        "group": group,
        "choices": choices,
        "minimum": minimum,
        "maximum": maximum,
        "below": below,
        "words": words,
    }
    return field(default=default, metadata=metadata)


def settings(config: type[Config] | Config) -> dict[str, Setting]:
    """Returns the settings of a Config class by name, in the order of declaration.

    The help and the range of an overridden default come from the class that declared it.
    """
    kind = config if isinstance(config, type) else type(config)
    hints = typing.get_type_hints(kind)
    found = {}
    for item in dataclasses.fields(kind):
        metadata = next(
            m
            for base in kind.__mro__
            if (m := _metadata(base, item.name)) is not None or base is object
        )
        base_type, optional = _base_type(hints[item.name])
        if base_type not in (int, float, bool, str):
            raise SettingError(
                f"`{item.name}` of {kind.__qualname__} must be annotated int, float, bool, str "
                f"or one of them with None. Received: {hints[item.name]}."
            )
        empty = {"help": "", "group": "recipe"}
        rest = ("choices", "minimum", "maximum", "below")
        known = {**empty, **dict.fromkeys(rest), "words": (), **(metadata or {})}
        found[item.name] = Setting(item.name, base_type, optional, item.default, **known)
    return found


def _metadata(base: type, name: str) -> dict[str, Any] | None:
    declared = getattr(base, "__dataclass_fields__", {}).get(name)
    return dict(declared.metadata) if declared is not None and declared.metadata else None


def _base_type(annotation: Any) -> tuple[type, bool]:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        members = [a for a in typing.get_args(annotation) if a is not types.NoneType]
        return members[0], len(members) < len(typing.get_args(annotation))
    return annotation, False


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings that every recipe has. Use `ImageConfig` or `TextConfig`."""

    # fmt: off
    dataset: str = setting("", "What to fine-tune on: tfds:NAME, builtin:NAME, a folder of class folders, or a CSV, JSONL or Parquet table", group="data")
    data_dir: str | None = setting(None, "Folder in which TFDS keeps its data sets", group="data")
    task: str = setting("classification", "What is predicted: one class, several labels, or a number", group="data", choices=TASKS)
    label_column: str | None = setting(None, "Column of a table with the label (several with commas: multi-label)", group="data")
    target_transform: str = setting("none", "Scale on which a regression learns: log suits prices, sizes and counts, whose errors are relative", group="data", choices=("none", "log"))
    label_separator: str | None = setting(None, "What stands between the labels of one cell (multi-label)", group="data")
    train_split: str | None = setting(None, "Name of the training split, with TFDS slicing such as train[:80%]", group="data")
    validation_split: str | None = setting(None, "Name of the validation split", group="data")
    test_split: str | None = setting(None, "Name of the test split", group="data")
    validation_fraction: float = setting(0.15, "Share of the training examples that becomes the validation split where there is none", group="data", minimum=0.01, maximum=0.5)
    test_fraction: float = setting(0.15, "Share of the training examples that becomes the test split where there is none", group="data", minimum=0.01, maximum=0.5)

    preset: str = setting("", "Backbone: KerasHub preset name, preset folder (KerasHub, Hugging Face, timm), .keras file, hf://ORG/NAME, applications:NAME (keras.applications), or package:NAME/FOLDER", group="model")
    pretrained: bool = setting(True, "Start from the weights of the preset (no: the same architecture with random weights)", group="model")
    trainable_blocks: int = setting(-1, "Blocks that are trained, from the top: 0 none (features only), n the last n, -1 all", group="model", minimum=-1)
    lora_rank: int = setting(0, "Rank of low-rank adapters (LoRA) in the trained blocks, of which nothing else is trained then; 4 to 16 are usual (0: none)", group="model", minimum=0)
    dropout: float = setting(0.2, "Share of the features dropped before the output layer", group="model", minimum=0, below=1)
    kernel_l1: float = setting(0.0, "L1 penalty on the kernel of the output layer", group="model", minimum=0)
    kernel_l2: float = setting(0.0, "L2 penalty on the kernel of the output layer", group="model", minimum=0)
    backbone_l1: float = setting(0.0, "L1 penalty on the trained kernels of the backbone", group="model", minimum=0)
    backbone_l2: float = setting(0.0, "L2 penalty on the trained kernels of the backbone", group="model", minimum=0)

    epochs: int = setting(10, "Passes over the training split in the main phase", minimum=1)
    head_epochs: int = setting(0, "Passes before it that train the output layer alone, on a frozen backbone", minimum=0)
    batch_size: int = setting(32, "Examples in one step", minimum=1)
    optimizer: str = setting("adamw", "How the weights are updated", choices=OPTIMIZERS)
    learning_rate: float = setting(1e-4, "Peak learning rate of the main phase (auto: found by a ramp before the fit, for both phases)", minimum=1e-9, maximum=100, words=("auto",))
    head_learning_rate: float = setting(1e-3, "Peak learning rate of the head phase", minimum=1e-9, maximum=100)
    learning_rate_schedule: str = setting("cosine", "How the rate falls after its warm-up", choices=SCHEDULES)
    warmup_fraction: float = setting(0.1, "Share of a phase's steps in which the rate rises from 0", minimum=0, below=1)
    weight_decay: float = setting(0.01, "Decay of the weights per step and rate, never of bias and norm", minimum=0)
    momentum: float = setting(0.9, "Momentum of sgd", minimum=0, below=1)
    gradient_clip: float = setting(1.0, "Largest global norm of the gradient (0: no limit)", minimum=0)
    label_smoothing: float = setting(0.0, "Share of each label spread over all classes (regression has none)", minimum=0, below=1)
    class_weight: str = setting("none", "balanced: examples of rare classes weigh more", choices=("none", "balanced"))
    patience: int = setting(3, "Epochs without a better monitor before a phase stops (0: never)", minimum=0)
    stop_when_hopeless: bool = setting(False, "End a training that cannot recover any more")
    monitor: str | None = setting(None, "Metric of the validation split that picks the best epoch: val_accuracy, val_f1, val_loss, val_rmse, val_r2, ... (default: by task)")
    precision: str = setting("float32", "Number format of the computation (auto: a few steps of each are timed, the fastest is used)", choices=("float32", "mixed_bfloat16", "mixed_float16", "auto"))
    cache: bool = setting(True, "Compute what frozen layers give once and keep it, where that saves work")
    cache_gigabytes: float = setting(8.0, "The most that it may keep, in memory or in temporary files", minimum=0)
    cache_precision: str = setting("float32", "Number format in which it is kept: bfloat16 needs half", choices=("float32", "bfloat16"))
    seed: int = setting(0, "Seed of splits, order, initial weights and dropout", minimum=0)
    # fmt: on

    def __post_init__(self) -> None:
        for name, item in settings(self).items():
            object.__setattr__(self, name, item.check(getattr(self, name)))
        if self.validation_fraction + self.test_fraction > 0.8:
            raise SettingError(
                "`validation_fraction` and `test_fraction` must leave at least 0.2 for training. "
                f"Received: {self.validation_fraction} and {self.test_fraction}."
            )
        if self.class_weight == "balanced" and self.task != "classification":
            raise SettingError(
                "`class_weight` can be balanced only for task=classification. "
                f"Received: task={self.task!r}."
            )
        if self.target_transform != "none" and self.task != "regression":
            raise SettingError(
                "`target_transform` can be log only for task=regression. "
                f"Received: task={self.task!r}."
            )


@dataclass(frozen=True, kw_only=True)
class ImageConfig(Config):
    """Settings of a recipe for images."""

    # fmt: off
    image_column: str | None = setting(None, "Column of a table with the path of the image", group="data")
    image_size: int = setting(224, "Height and width, in pixels, to which images are brought", group="data", minimum=8, maximum=4096)
    resize: str = setting("crop", "How another aspect ratio is met: crop the middle, stretch, or pad with black", group="data", choices=("crop", "stretch", "pad"))
    augmentation: str = setting("light", "Random changes of the training images", group="data", choices=("none", "light", "strong"))
    horizontal_flip: bool = setting(True, "Whether augmentation mirrors images (not for digits or writing)", group="data")
    freeze_batch_norm: bool = setting(True, "Keep BatchNormalization of trained blocks frozen, with its pretrained statistics", group="model")
    pooling: str = setting("auto", "How the positions become one vector (auto: by family)", group="model", choices=("auto", "average", "max", "first"))
    # fmt: on

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.pretrained and self.trainable_blocks != 0 and self.freeze_batch_norm:
            raise SettingError(
                "`freeze_batch_norm` must be off for a backbone with random weights, whose "
                "statistics mean nothing yet: add --no-freeze-batch-norm."
            )


@dataclass(frozen=True, kw_only=True)
class TextConfig(Config):
    """Settings of a recipe for texts or pairs of texts."""

    # fmt: off
    text_column: str | None = setting(None, "Column of a table with the text", group="data")
    text_pair_column: str | None = setting(None, "Column of a table with the second text of a pair", group="data")
    sequence_length: int = setting(128, "Tokens after which a text is cut", group="data", minimum=4)
    pooling: str = setting("auto", "How the tokens become one vector (auto: by family)", group="model", choices=("auto", "mean", "first", "last"))
    # fmt: on


def to_dict(config: Config) -> dict[str, Any]:
    """Returns the settings as a dictionary of plain values, fit for JSON."""
    return dataclasses.asdict(config)


def changed_settings(config: Config) -> dict[str, Any]:
    """Returns the settings that differ from the defaults of their class."""
    usual = to_dict(type(config)())
    return {name: value for name, value in to_dict(config).items() if value != usual[name]}


def from_dict(kind: type[ConfigType], values: dict[str, Any]) -> ConfigType:
    """Builds a Config from a dictionary; an unknown name is refused with the nearest known one.

    Raises:
        SettingError: A name is unknown or a value is out of range.
    """
    known = settings(kind)
    for name in values:
        if name not in known:
            raise SettingError(f"There is no setting `{name}`.{did_you_mean(name, known)}")
    return kind(**values)
