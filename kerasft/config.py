"""Settings: each declared once with its help, range and choices, checked wherever it is set.

A recipe's `Config` is a frozen data class that inherits from `ImageConfig` or `TextConfig` and
overrides defaults by plain assignment. The checks run on construction, so that the command
line, Python, a search and `dataclasses.replace` all meet the same message.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kerasft.errors import SettingError, did_you_mean
from kerasft.settings import setting, settings

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
# Whether a loss is one of numbers.
LOSSES = {"cross_entropy": False, "focal": False, "squared": True, "absolute": True, "huber": True}
ConfigType = typing.TypeVar("ConfigType", bound="Config")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings that every recipe has. Use `ImageConfig` or `TextConfig`.

    Attributes:
        given: Names of the settings that were given on construction. With another `dataset` than
            the recipe's, names of splits that were not given are unset.
    """

    given: typing.ClassVar[frozenset[str]]  # of the object; no field, and no part of equality

    # fmt: off
    dataset: str = setting("", "What to fine-tune on: tfds:NAME, builtin:NAME, a folder of class folders, or a CSV, JSONL or Parquet table", group="data")
    data_dir: str | None = setting(None, "Folder in which TFDS keeps its datasets", group="data")
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
    pretrained_l2: float = setting(0.0, "L2 penalty on how far trained kernels of the backbone are from their pretrained values (L2-SP)", group="model", minimum=0)
    stochastic_depth: float | None = setting(None, "Largest share of examples for which a residual path of a trained block is left out, rising with depth (default: as the preset has it)", group="model", minimum=0, below=1)

    epochs: int = setting(10, "Passes over the training split in the main phase", minimum=1)
    head_epochs: int = setting(0, "Passes before it that train the output layer alone, on a frozen backbone", minimum=0)
    unfreeze_every: int = setting(0, "Epochs of the main phase after which one more block trains, from the top: gradual unfreezing (0: all at once)", minimum=0)
    batch_size: int = setting(32, "Examples in one step", minimum=1)
    optimizer: str = setting("adamw", "How the weights are updated", choices=OPTIMIZERS)
    learning_rate: float = setting(1e-4, "Peak learning rate of the main phase (auto: found by a ramp before the fit, for both phases)", minimum=1e-9, maximum=100, words=("auto",))
    head_learning_rate: float = setting(1e-3, "Peak learning rate of the head phase", minimum=1e-9, maximum=100)
    layer_decay: float = setting(1.0, "Factor of the learning rate from the output layer to the top block, and from each block to the one below; 0.65 to 0.95 are usual (1: one rate)", minimum=0.01, maximum=1)
    learning_rate_schedule: str = setting("cosine", "How the rate falls after its warm-up", choices=SCHEDULES)
    warmup_fraction: float = setting(0.1, "Share of a phase's steps in which the rate rises from 0", minimum=0, below=1)
    weight_decay: float = setting(0.01, "Decay of the weights per step and rate, never of bias and norm", minimum=0)
    momentum: float = setting(0.9, "Momentum of sgd", minimum=0, below=1)
    gradient_clip: float = setting(1.0, "Largest global norm of the gradient (0: no limit)", minimum=0)
    loss: str = setting("auto", "What is minimized; auto: cross_entropy for classes, squared for numbers. focal: rare and hard examples weigh more; absolute and huber: outliers weigh less", choices=("auto", *LOSSES))
    label_smoothing: float = setting(0.0, "Share of each label spread over all classes (regression has none)", minimum=0, below=1)
    class_weight: str = setting("none", "balanced: examples of rare classes weigh more (one class a row)", choices=("none", "balanced"))
    patience: int = setting(3, "Epochs without a better monitor before a phase stops (0: never)", minimum=0)
    stop_when_hopeless: bool = setting(False, "End a training that cannot recover any more")
    monitor: str | None = setting(None, "Metric of the validation split that picks the best epoch: val_accuracy, val_f1, val_loss, val_rmse, val_r2, ... (default: val_accuracy, val_f1 for several labels, val_rmse for numbers, val_loss for their logarithm)")
    precision: str = setting("float32", "Number format of the computation (auto: a few steps of each are timed, the fastest is used)", choices=("float32", "mixed_bfloat16", "mixed_float16", "auto"))
    cache: bool = setting(True, "Compute what frozen layers give once and keep it, where that saves work")
    cache_gigabytes: float = setting(8.0, "The most that it may keep, in memory or in temporary files", minimum=0)
    cache_precision: str = setting("float32", "Number format in which it is kept: bfloat16 needs half", choices=("float32", "bfloat16"))
    seed: int = setting(0, "Seed of splits, order, initial weights and dropout", minimum=0)
    # fmt: on

    def __new__(cls, **given: Any) -> Config:
        """Note which settings are given: a default of a recipe may speak of its own data alone.

        A copy is given all of them, which tells nothing: its `given` is empty.
        """
        config = super().__new__(cls)
        copied = len(given) == len(dataclasses.fields(cls))
        object.__setattr__(config, "given", frozenset() if copied else frozenset(given))
        return config

    def __post_init__(self) -> None:
        own = type(self).dataset
        if own and self.dataset != own and self.given:  # a copy has its splits settled
            for name in {"train_split", "validation_split", "test_split"} - self.given:
                object.__setattr__(self, name, None)
        for name, item in settings(self).items():
            object.__setattr__(self, name, item.check(getattr(self, name)))
        for wrong, message in self._conflicts():
            if wrong:
                raise SettingError(message)

    def notes(self) -> list[str]:
        """Return what a person should know about the settings together, one sentence each."""
        given = changed_settings(self)
        idle: tuple[str, ...] = ()
        if self.trainable_blocks == 0:
            idle = ("unfreeze_every", "layer_decay", "pretrained_l2", "backbone_l1", "backbone_l2",
                    "stochastic_depth", "freeze_embeddings")  # fmt: skip
        elif self.lora_rank:
            idle = ("freeze_embeddings",)
        elif self.trainable_blocks == 1:
            idle = ("unfreeze_every",)
        found = [
            f"`{name}` changes nothing with trainable_blocks={self.trainable_blocks}"
            f"{f' and lora_rank={self.lora_rank}' * bool(self.lora_rank)}."
            for name in idle
            if given.get(name)
        ]
        if self.trainable_blocks == 0 and self.head_epochs:
            found.append(
                "With trainable_blocks=0 both phases train the same output layer. In one: "
                f"--head-epochs 0 --learning-rate {self.head_learning_rate:g}."
            )
        if given.get("label_smoothing") and self.task == "regression":
            found.append("`label_smoothing` changes nothing for task=regression.")
        return found

    def _conflicts(self) -> Iterator[tuple[bool, str]]:
        """Yield what settings cannot be together: whether they are, and the sentence for it."""
        yield (
            self.validation_fraction + self.test_fraction > 0.8,
            "`validation_fraction` and `test_fraction` must leave at least 0.2 for training. "
            f"Received: {self.validation_fraction} and {self.test_fraction}.",
        )
        yield (
            self.class_weight == "balanced" and self.task != "classification",
            "`class_weight` can be balanced only for task=classification"
            + (" (rare labels weigh more with loss=focal)" * (self.task == "multilabel"))
            + f". Received: task={self.task!r}.",
        )
        numbers = self.task == "regression"
        yield (
            self.target_transform != "none" and not numbers,
            "`target_transform` can be log only for task=regression. "
            f"Received: task={self.task!r}.",
        )
        fitting = ", ".join(name for name, number in LOSSES.items() if number == numbers)
        yield (
            LOSSES.get(self.loss, numbers) != numbers,
            f"`loss` must be one of auto, {fitting} for task={self.task}. Received: "
            f"loss={self.loss!r}.",
        )
        yield (
            self.lora_rank > 0 and self.trainable_blocks == 0,
            "`lora_rank` needs trained blocks to put its adapters into. Received: "
            f"lora_rank={self.lora_rank}, trainable_blocks=0.",
        )
        for name in ("pretrained_l2", "backbone_l1", "backbone_l2"):
            yield (
                getattr(self, name) > 0 and self.lora_rank > 0,
                f"`{name}` has nothing to hold back beside `lora_rank`: kernels stay as they were "
                "pretrained, and only the adapters train.",
            )
        yield (
            self.pretrained_l2 > 0 and not self.pretrained,
            "`pretrained_l2` needs the weights of the preset: leave --no-pretrained out.",
        )


@dataclass(frozen=True, kw_only=True)
class ImageConfig(Config):
    """Settings of a recipe for images."""

    # fmt: off
    image_column: str | None = setting(None, "Column of a table with the path of the image", group="data")
    image_size: int = setting(224, "Height and width, in pixels, to which images are brought", group="data", minimum=8, maximum=4096)
    resize: str = setting("crop", "How another aspect ratio is met: crop the middle, stretch, or pad with black", group="data", choices=("crop", "stretch", "pad"))
    augmentation: str = setting("light", "Random changes of the training images (randaugment: two of eleven, strong ones, another two in each batch)", group="data", choices=("none", "light", "strong", "randaugment"))
    random_erasing: float = setting(0.0, "Share of the training images of which a patch is erased", group="data", minimum=0, maximum=1)
    mixup: float = setting(0.0, "Strength with which pairs of training images are blended, labels with them; 0.2 is usual (0: never)", group="data", minimum=0, maximum=1)
    cutmix: float = setting(0.0, "Strength with which a patch of another image is put into each, labels in proportion; 1 is usual (0: never)", group="data", minimum=0, maximum=1)
    horizontal_flip: bool = setting(True, "Whether augmentation mirrors images (not for digits or writing)", group="data")
    freeze_batch_norm: bool = setting(True, "Keep BatchNormalization of trained blocks frozen, with its pretrained statistics", group="model")
    pooling: str = setting("auto", "How the positions become one vector (auto: by family)", group="model", choices=("auto", "average", "max", "first"))
    # fmt: on

    def _conflicts(self) -> Iterator[tuple[bool, str]]:
        yield from super()._conflicts()
        yield (
            not self.pretrained and self.trainable_blocks != 0 and self.freeze_batch_norm,
            "`freeze_batch_norm` must be off for a backbone with random weights, whose "
            "statistics mean nothing yet: add --no-freeze-batch-norm.",
        )
        yield (
            self.lora_rank > 0 and not self.freeze_batch_norm,
            "`lora_rank` trains adapters alone, so BatchNormalization stays as it is pretrained: "
            "leave --no-freeze-batch-norm out.",
        )
        mixed = self.mixup > 0 or self.cutmix > 0
        yield (
            mixed and self.task == "regression",
            "`mixup` and `cutmix` mix classes: there are none in task=regression.",
        )
        yield (
            mixed and self.class_weight == "balanced",
            "`mixup` and `cutmix` cannot go with class_weight=balanced: a mixed example is of two "
            "classes, and has no weight of its own.",
        )


@dataclass(frozen=True, kw_only=True)
class TextConfig(Config):
    """Settings of a recipe for texts or pairs of texts."""

    # fmt: off
    text_column: str | None = setting(None, "Column of a table with the text", group="data")
    text_pair_column: str | None = setting(None, "Column of a table with the second text of a pair", group="data")
    sequence_length: int = setting(128, "Tokens after which a text is cut", group="data", minimum=4)
    word_dropout: float = setting(0.0, "Share of the tokens of training texts that are masked at random", group="data", minimum=0, below=1)
    freeze_embeddings: bool = setting(False, "Keep the tables of tokens and positions as they are, in trained blocks too", group="model")
    pooling: str = setting("auto", "How the tokens become one vector (auto: by family)", group="model", choices=("auto", "mean", "first", "last"))
    # fmt: on


def to_dict(config: Config) -> dict[str, Any]:
    """Return the settings as a dictionary of plain values, fit for JSON."""
    return dataclasses.asdict(config)


def changed_settings(config: Config) -> dict[str, Any]:
    """Return the settings that differ from the defaults of their class."""
    kind = type(config)
    usual = {**to_dict(kind(dataset=config.dataset)), "dataset": kind.dataset}
    return {name: value for name, value in to_dict(config).items() if value != usual[name]}


def from_dict(kind: type[ConfigType], values: dict[str, Any]) -> ConfigType:
    """Build a Config from a dictionary; an unknown name is refused with the nearest known one.

    Raises:
        SettingError: A name is unknown or a value is out of range.
    """
    known = settings(kind)
    for name in values:
        if name not in known:
            raise SettingError(f"There is no setting `{name}`.{did_you_mean(name, known)}")
    return kind(**values)
