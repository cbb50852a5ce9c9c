"""The settings of every recipe in groups; `--help` prints them under the names of their classes.

A class that inherits from `SettingGroup`, directly or as a Config, is a frozen data class with
keyword arguments only. The decorator that says so is allowed above it, and not needed.
"""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass
from typing import Any

from kerasft.conditions import refuse, when
from kerasft.dataset import Dataset
from kerasft.settings import Part, parts, setting
from kerasft.tasks import LOSSES, TASKS, describe_tasks, task_of

OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop", "lion")
SCHEDULES = ("constant", "cosine", "linear", "exponential", "step", "plateau")


@typing.dataclass_transform(kw_only_default=True, frozen_default=True)
class GroupType(type):
    """Make a frozen data class of every class of settings, and read flat names of its Dataset."""

    def __new__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any
    ) -> Any:
        """Create the class."""
        body = _with_dataset_value(bases, namespace)
        fields = {k: v for k, v in body.items() if isinstance(v, dataclasses.Field | Part)}
        declared = {k: dict(v.metadata) for k, v in fields.items() if v.metadata}
        kind: Any = super().__new__(cls, name, bases, {**body, "declared": declared}, **kwargs)
        dataclass(frozen=True, kw_only=True)(kind)
        # A decorator above the class would find them there, and refuse to write them again.
        del kind.__setattr__, kind.__delattr__
        return kind

    def __call__(cls, **values: Any) -> Any:
        """Create a config; flat names such as `label_column` are parts of its dataset.

        A `dataset` replaces the whole value, a flat name one part of it.
        """
        known = parts(cls)
        changes = {item.name: values.pop(n) for n, item in known.items() if n in values}
        if changes or "dataset" in values:
            whole: Any = values.get("dataset", getattr(cls, "dataset", None))
            whole = whole if isinstance(whole, Dataset) else Dataset(whole)
            values["dataset"] = dataclasses.replace(whole, **changes)
        return super().__call__(**values)


def _with_dataset_value(bases: tuple[type, ...], namespace: dict[str, Any]) -> dict[str, Any]:
    """Return a class body in which flat attributes of older recipes are one `dataset`."""
    flat = {name: item.name for base in bases for name, item in parts(base).items()}
    body = dict(namespace)
    own = {flat[name]: body.pop(name) for name in list(body) if name in flat}
    whole = body.get("dataset")
    if own or isinstance(whole, str):
        if whole is None:
            whole = next(base.dataset for base in bases if hasattr(base, "dataset"))
        whole = whole if isinstance(whole, Dataset) else Dataset(whole)
        body["dataset"] = dataclasses.replace(whole, **own)
        hints = {k: v for k, v in body.get("__annotations__", {}).items() if k not in flat}
        body["__annotations__"] = {**hints, "dataset": Dataset}
    return body


class _Frozen:
    def __setattr__(self, name: str, value: Any) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


class SettingGroup(_Frozen, metaclass=GroupType):
    """Base of all classes of settings."""


_NO_BACKBONE = when(trainable_blocks=0)
_WITH_ADAPTERS = (
    "has nothing to hold back beside `lora_rank`: kernels stay as they were pretrained, and only "
    "the adapters train."
)


def _foreign_loss(config: Any) -> str:
    fitting = task_of(config.task).losses
    if config.loss in ("auto", *fitting):
        return ""
    return (
        f"`loss` must be one of auto, {', '.join(fitting)} for task={config.task}. Received: "
        f"loss={config.loss!r}."
    )


def _unbalanced(config: Any) -> str:
    task = task_of(config.task)
    if config.class_weight == "none" or task.class_weight:
        return ""
    hint = " (rare labels weigh more with loss=focal)" * task.several
    return (
        f"`class_weight` can be balanced only for task=classification{hint}. Received: "
        f"task={config.task!r}."
    )


# fmt: off
class DatasetSettings(SettingGroup):
    """What is fine-tuned on: one Dataset, whose parts have flat names on the command line."""

    dataset: Dataset = setting(Dataset(""), "What to fine-tune on: tfds:NAME, builtin:NAME, a folder of class folders, or a CSV, JSONL or Parquet table. Replaces all that the recipe says of its own", searchable=False)
    data_dir = Part("data_dir", "Folder in which TFDS keeps its datasets", idle_if=when(dataset=lambda d: not d.source.startswith("tfds:")))
    label_column = Part("label", "Column of a table with the label (several with commas: multi-label)", role="column")
    label_separator = Part("label_separator", "What stands between the labels of one cell (multi-label)")
    train_split = Part("train", "Name of the training split, with TFDS slicing such as train[:80%]")
    validation_split = Part("validation", "Name of the validation split")
    test_split = Part("test", "Name of the test split")
    validation_fraction = Part("validation_fraction", "Share of the training examples that becomes the validation split where there is none", minimum=0.01, maximum=0.5, idle_if=when(validation_split=bool))
    test_fraction = Part("test_fraction", "Share of the training examples that becomes the test split where there is none", minimum=0.01, maximum=0.5, idle_if=when(test_split=bool), refused_if=refuse(lambda c: c.validation_fraction + c.test_fraction > 0.8, "`validation_fraction` and `test_fraction` must leave at least 0.2 for training. Received: {c.validation_fraction} and {c.test_fraction}."))


class TaskSettings(SettingGroup):
    """What is predicted, and what is minimized for it."""

    task: str = setting("classification", f"What is predicted: {describe_tasks()}", choices=tuple(TASKS), searchable=False)
    target_transform: str = setting("none", "Scale on which a regression learns: log suits prices, sizes and counts, whose errors are relative", choices=("none", "log"), searchable=False, refused_if=refuse(lambda c: c.target_transform != "none" and not task_of(c.task).target_transform, "`target_transform` can be log only for task=regression. Received: task={c.task!r}."))
    loss: str = setting("auto", "What is minimized; auto: cross_entropy for classes, squared for numbers. focal: rare and hard examples weigh more; absolute and huber: outliers weigh less", choices=("auto", *LOSSES), affects="graph", refused_if=_foreign_loss)
    label_smoothing: float = setting(0.0, "Share of each label spread over all classes (regression has none)", minimum=0, below=1, affects="graph", idle_if=when(task=lambda task: not task_of(task).label_smoothing))
    class_weight: str = setting("none", "balanced: examples of rare classes weigh more (one class a row)", choices=("none", "balanced"), affects="graph", role="batches", refused_if=_unbalanced)


class BackboneSettings(SettingGroup):
    """Where the model starts, and which of it trains."""

    preset: str = setting("", "Backbone: KerasHub preset name, preset folder (KerasHub, Hugging Face, timm), .keras file, hf://ORG/NAME, applications:NAME (keras.applications), or package:NAME/FOLDER")
    pretrained: bool = setting(True, "Start from the weights of the preset (no: the same architecture with random weights)", affects="number")
    trainable_blocks: int = setting(-1, "Blocks that are trained, from the top: 0 none (features only), n the last n, -1 all", minimum=-1, affects="graph")
    lora_rank: int = setting(0, "Rank of low-rank adapters (LoRA) in the trained blocks, of which nothing else is trained then; 4 to 16 are usual (0: none)", minimum=0, affects="graph", refused_if=refuse(lambda c: c.lora_rank > 0 and c.trainable_blocks == 0, "`lora_rank` needs trained blocks to put its adapters into. Received: lora_rank={c.lora_rank}, trainable_blocks=0."))


class RegularizationSettings(SettingGroup):
    """What keeps the model from learning its training data by heart."""

    dropout: float = setting(0.2, "Share of the features dropped before the output layer", minimum=0, below=1, affects="number")
    kernel_l1: float = setting(0.0, "L1 penalty on the kernel of the output layer", minimum=0, affects="number", role="penalty")
    kernel_l2: float = setting(0.0, "L2 penalty on the kernel of the output layer", minimum=0, affects="number", role="penalty")
    backbone_l1: float = setting(0.0, "L1 penalty on the trained kernels of the backbone", minimum=0, affects="number", role="penalty", idle_if=_NO_BACKBONE, refused_if=refuse(lambda c: c.backbone_l1 and c.lora_rank, f"`backbone_l1` {_WITH_ADAPTERS}"))
    backbone_l2: float = setting(0.0, "L2 penalty on the trained kernels of the backbone", minimum=0, affects="number", role="penalty", idle_if=_NO_BACKBONE, refused_if=refuse(lambda c: c.backbone_l2 and c.lora_rank, f"`backbone_l2` {_WITH_ADAPTERS}"))
    pretrained_l2: float = setting(0.0, "L2 penalty on how far trained kernels of the backbone are from their pretrained values (L2-SP)", minimum=0, affects="number", role="penalty_to_pretrained", idle_if=_NO_BACKBONE, refused_if=(
        refuse(lambda c: c.pretrained_l2 and c.lora_rank, f"`pretrained_l2` {_WITH_ADAPTERS}"),
        refuse(lambda c: c.pretrained_l2 and not c.pretrained, "`pretrained_l2` needs the weights of the preset: leave --no-pretrained out."),
    ))
    stochastic_depth: float | None = setting(None, "Largest share of examples for which a residual path of a trained block is left out, rising with depth (default: as the preset has it)", minimum=0, below=1, affects="graph", idle_if=_NO_BACKBONE)


class ScheduleSettings(SettingGroup):
    """The phases of a fit, and the learning rate in them."""

    epochs: int = setting(10, "Passes over the training split in the main phase", minimum=1, affects="number")
    head_epochs: int = setting(0, "Passes before it that train the output layer alone, on a frozen backbone", minimum=0, affects="number")
    unfreeze_every: int = setting(0, "Epochs of the main phase after which one more block trains, from the top: gradual unfreezing (0: all at once)", minimum=0, affects="number", idle_if=when(trainable_blocks=(0, 1)))
    batch_size: int = setting(32, "Examples in one step", minimum=1, affects="number")
    learning_rate: float = setting(1e-4, "Peak learning rate of the main phase (auto: found by a ramp before the fit, for both phases)", minimum=1e-9, maximum=100, words=("auto",), affects="number")
    head_learning_rate: float = setting(1e-3, "Peak learning rate of the head phase", minimum=1e-9, maximum=100, affects="number", idle_if=when(head_epochs=0))
    learning_rate_schedule: str = setting("cosine", "How the rate falls after its warm-up", choices=SCHEDULES, affects="graph")
    warmup_fraction: float = setting(0.1, "Share of a phase's steps in which the rate rises from 0", minimum=0, below=1, affects="number")


class OptimizerSettings(SettingGroup):
    """How the weights are updated."""

    optimizer: str = setting("adamw", "How the weights are updated", choices=OPTIMIZERS, affects="graph")
    layer_decay: float = setting(1.0, "Factor of the learning rate from the output layer to the top block, and from each block to the one below; 0.65 to 0.95 are usual (1: one rate)", minimum=0.01, maximum=1, affects="graph", idle_if=_NO_BACKBONE)
    weight_decay: float = setting(0.01, "Decay of the weights per step and rate, never of bias and norm", minimum=0, affects="number")
    momentum: float = setting(0.9, "Momentum of sgd", minimum=0, below=1, affects="graph", idle_if=when(optimizer=lambda name: name != "sgd"))
    gradient_clip: float = setting(1.0, "Largest global norm of the gradient (0: no limit)", minimum=0, affects="graph")


class StoppingSettings(SettingGroup):
    """What picks the best epoch, and when a phase ends early."""

    patience: int = setting(3, "Epochs without a better monitor before a phase stops (0: never)", minimum=0, affects="number")
    stop_when_hopeless: bool = setting(False, "End a training that cannot recover any more", affects="number")
    monitor: str | None = setting(None, "Metric of the validation split that picks the best epoch: val_accuracy, val_f1, val_loss, val_rmse, val_r2, ... (default: val_accuracy, val_f1 for several labels, val_rmse for numbers, val_loss for their logarithm)", affects="number", searchable=False)


class ComputeSettings(SettingGroup):
    """How the same result is computed."""

    precision: str = setting("float32", "Number format of the computation (auto: a few steps of each are timed, the fastest is used)", choices=("float32", "mixed_bfloat16", "mixed_float16", "auto"), affects="graph")
    cache: bool = setting(True, "Compute what frozen layers give once and keep it, where that saves work", affects="number")
    cache_gigabytes: float = setting(8.0, "The most that it may keep, in memory or in temporary files", minimum=0, affects="number", idle_if=when(cache=False))
    cache_precision: str = setting("float32", "Number format in which it is kept: bfloat16 needs half", choices=("float32", "bfloat16"), affects="number", idle_if=when(cache=False))
    seed: int = setting(0, "Seed of splits, order, initial weights and dropout", minimum=0, affects="number", searchable=False)


class ImageSettings(SettingGroup):
    """How images are read, and how a backbone for them is used."""

    image_column = Part("image", "Column of a table with the path of the image", role="column")
    image_size: int = setting(224, "Height and width, in pixels, to which images are brought", minimum=8, maximum=4096)
    resize: str = setting("crop", "How another aspect ratio is met: crop the middle, stretch, or pad with black", choices=("crop", "stretch", "pad"))
    freeze_batch_norm: bool = setting(True, "Keep BatchNormalization of trained blocks frozen, with its pretrained statistics", affects="graph", idle_if=_NO_BACKBONE, refused_if=(
        refuse(lambda c: not c.pretrained and c.trainable_blocks != 0 and c.freeze_batch_norm, "`freeze_batch_norm` must be off for a backbone with random weights, whose statistics mean nothing yet: add --no-freeze-batch-norm."),
        refuse(lambda c: c.lora_rank > 0 and not c.freeze_batch_norm, "`lora_rank` trains adapters alone, so BatchNormalization stays as it is pretrained: leave --no-freeze-batch-norm out."),
    ))
    pooling: str = setting("auto", "How the positions become one vector (auto: by family)", choices=("auto", "average", "max", "first"), affects="graph")


_MIXED = (
    refuse(lambda c: (c.mixup or c.cutmix) and not task_of(c.task).mixup, "`mixup` and `cutmix` mix classes: there are none in task={c.task}."),
    refuse(lambda c: (c.mixup or c.cutmix) and c.class_weight == "balanced", "`mixup` and `cutmix` cannot go with class_weight=balanced: a mixed example is of two classes, and has no weight of its own."),
)


class AugmentationSettings(SettingGroup):
    """Random changes of the training images."""

    augmentation: str = setting("light", "Random changes of the training images (randaugment: two of eleven, strong ones, another two in each batch)", choices=("none", "light", "strong", "randaugment"), affects="graph")
    horizontal_flip: bool = setting(True, "Whether augmentation mirrors images (not for digits or writing)", affects="graph", idle_if=when(augmentation="none"))
    random_erasing: float = setting(0.0, "Share of the training images of which a patch is erased", minimum=0, maximum=1, affects="graph")
    mixup: float = setting(0.0, "Strength with which pairs of training images are blended, labels with them; 0.2 is usual (0: never)", minimum=0, maximum=1, affects="graph", role="mixing", refused_if=_MIXED)
    cutmix: float = setting(0.0, "Strength with which a patch of another image is put into each, labels in proportion; 1 is usual (0: never)", minimum=0, maximum=1, affects="graph", role="mixing")


class TextSettings(SettingGroup):
    """How texts are read, and how a backbone for them is used."""

    text_column = Part("text", "Column of a table with the text", role="column")
    text_pair_column = Part("text_pair", "Column of a table with the second text of a pair", role="column")
    sequence_length: int = setting(128, "Tokens after which a text is cut", minimum=4)
    word_dropout: float = setting(0.0, "Share of the tokens of training texts that are masked at random", minimum=0, below=1, affects="graph")
    freeze_embeddings: bool = setting(False, "Keep the tables of tokens and positions as they are, in trained blocks too", affects="graph", idle_if=(_NO_BACKBONE, when(lora_rank=bool)))
    pooling: str = setting("auto", "How the tokens become one vector (auto: by family)", choices=("auto", "mean", "first", "last"), affects="graph")
# fmt: on
