"""Settings of every recipe, in the groups that `--help` prints."""

from __future__ import annotations

from typing import Any

from kerasft.dataset import Dataset
from kerasft.setting_conditions import Condition, refuse, when
from kerasft.setting_declaration import Part, setting
from kerasft.setting_group import SettingGroup
from kerasft.tasks import LOSSES, TASKS, describe_monitors, describe_tasks, task_of, tasks_with

OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop", "lion")
SCHEDULES = ("constant", "cosine", "linear", "exponential", "step", "plateau")

_RENDERED = when(dataset=lambda dataset: dataset.source == "builtin:glyphs")
_NO_BACKBONE = when(trainable_blocks=0)
_WITH_ADAPTERS = (
    "cannot be combined with `lora_rank`, which freezes the kernels and trains only the adapters. "
    "Set one of the two to 0."
)


def _foreign_loss(config: Any) -> str:
    return task_of(config.task).refuse_loss(config.loss)


_WEIGHTED = tasks_with(lambda task: task.class_weight)
_TRANSFORMED = tasks_with(lambda task: task.target_transform)
_SMOOTHED = tasks_with(lambda task: task.label_smoothing)


def _unbalanced(config: Any) -> str:
    task = task_of(config.task)
    if config.class_weight == "none" or task.class_weight:
        return ""
    hint = " For rare labels, use loss=focal." * task.several
    return (
        f"`class_weight` is balanced, but task={config.task} has no class weights, only "
        f"task={_WEIGHTED}.{hint or ' Use class_weight=none.'}"
    )


# fmt: off
class DatasetSettings(SettingGroup):
    """Dataset, its columns and its splits; each part has a flat name on the command line."""

    dataset: Dataset = setting(Dataset(""), "Dataset: tfds:NAME, builtin:NAME, a folder of class folders, or a CSV, JSONL or Parquet table (replaces the recipe's dataset with its columns and splits)", searchable=False, common=True, aliases=("data", "input", "train_data"))
    data_dir = Part("data_dir", "Folder of TFDS datasets", idle_if=when(dataset=lambda d: not d.source.startswith("tfds:")))
    label_column = Part("label", "Label column (multi-label: several columns, separated by commas)", role="column", common=True, aliases=("target", "y"))
    label_separator = Part("label_separator", "Separator of the labels in one cell (multi-label)")
    train_split = Part("train", "Training split, with TFDS slicing such as train[:80%]", role="split")
    validation_split = Part("validation", "Validation split", role="split")
    test_split = Part("test", "Test split", role="split")
    validation_fraction = Part("validation_fraction", "Fraction of the training examples held out for validation if the dataset has no validation split", role="split", minimum=0.01, maximum=0.5, idle_if=when(validation_split=bool))
    test_fraction = Part("test_fraction", "Fraction of the training examples held out for testing if the dataset has no test split", role="split", minimum=0.01, maximum=0.5, idle_if=when(test_split=bool), refused_if=refuse(lambda c: c.validation_fraction + c.test_fraction > 0.8, "`validation_fraction` and `test_fraction` must leave at least 0.2 of the examples for training. Received: {c.validation_fraction} and {c.test_fraction}."))


class SelectionSettings(SettingGroup):
    """Selection of the examples of the dataset."""

    fraction: float = setting(1.0, "Fraction of the examples of every split and class to use; at least one of each class is left", minimum=0.0001, maximum=1, searchable=False, idle_if=_RENDERED, aliases=("subset", "sample"))
    max_examples: int = setting(0, "Examples to use in all, of every split and class the same fraction; at least one of each class is left (0: all)", minimum=0, searchable=False, idle_if=_RENDERED, refused_if=refuse(lambda c: c.max_examples > 0 and c.fraction < 1, "`max_examples` is {c.max_examples} and `fraction` is {c.fraction}, but one of them alone limits the examples. Set `fraction` to 1 or `max_examples` to 0."), aliases=("max_train_samples", "max_samples", "limit"))
    split_seed: int | None = setting(None, "Random seed of generated splits and of --fraction and --max-examples (default: the seed), to compare seeds on the same splits", minimum=0, searchable=False, idle_if=_RENDERED)
    drop_bad: bool = setting(False, "Leave out examples that cannot be read, and list them in the run (dropped.json)", searchable=False)


class TaskSettings(SettingGroup):
    """Prediction task and training loss."""

    task: str = setting("classification", f"Prediction task: {describe_tasks()}", choices=tuple(TASKS), searchable=False, common=True)
    target_transform: str = setting("none", "Transform of a regression target; log suits prices, sizes and counts (relative errors)", choices=("none", "log"), searchable=False, refused_if=refuse(lambda c: c.target_transform != "none" and not task_of(c.task).target_transform, f"`target_transform` is log, but task={{c.task}} has no such target, only task={_TRANSFORMED}. Use target_transform=none."))
    target_unit: str = setting("", "Unit of the numbers to predict, such as EUR, shown with predictions", searchable=False, refused_if=refuse(lambda c: bool(c.target_unit) and task_of(c.task).has_classes, "`target_unit` is {c.target_unit}, but task={c.task} predicts classes. Remove it, or set a task with numbers."))
    loss: str = setting("auto", "Training loss (auto: cross_entropy for classes, squared for numbers; focal: more weight on hard examples; absolute, huber: less weight on outliers)", choices=("auto", *LOSSES), affects="graph", refused_if=_foreign_loss)
    label_smoothing: float = setting(0.0, f"Label smoothing: fraction of each label spread over all classes ({_SMOOTHED})", minimum=0, below=1, affects="graph", idle_if=when(task=lambda task: not task_of(task).label_smoothing))
    class_weight: str = setting("none", f"Class weights in the loss; balanced: inversely proportional to class frequency ({_WEIGHTED} only)", choices=("none", "balanced"), affects="graph", role="batches", refused_if=_unbalanced, aliases=("balanced",))


class BackboneSettings(SettingGroup):
    """Pretrained backbone, its trained blocks, and the start of the output layer."""

    preset: str = setting("", "Backbone: KerasHub preset name, preset folder (KerasHub, Hugging Face, timm), .keras file, hf://ORG/NAME[@REVISION], applications:NAME (keras.applications), or package:NAME/FOLDER", common=True, aliases=("model", "backbone", "pretrained_model"))
    pretrained: bool = setting(True, "Load the pretrained weights of the preset (no: random initialization)", affects="number")
    trainable_blocks: int = setting(-1, "Number of backbone blocks to unfreeze, from the top: 0 none (linear probe), n the last n, -1 all", minimum=-1, affects="graph", common=True, aliases=("freeze", "unfreeze", "layers", "depth"))
    head_start: str = setting("random", "Start of the output layer (linear: a linear probe on frozen features; class_means: the mean direction of each class; auto: linear for classes of images, for several labels per text and for a frozen sentence encoder, class_means for classes of another one, else random)", choices=("auto", "linear", "class_means", "random"), affects="number", refused_if=refuse(lambda c: c.head_start == "class_means" and not task_of(c.task).class_weight, f"`head_start` is class_means, but task={{c.task}} has no single class per example, as task={_WEIGHTED} has. Use head_start=linear."))
    lora_rank: int = setting(0, "Rank of the LoRA adapters in the trained blocks, whose own weights stay frozen; typically 4 to 16 (0: no adapters)", minimum=0, affects="graph", refused_if=refuse(lambda c: c.lora_rank > 0 and c.trainable_blocks == 0, "`lora_rank` is {c.lora_rank}, but trainable_blocks=0 leaves no blocks for its adapters. Train blocks, or set lora_rank to 0."))


class RegularizationSettings(SettingGroup):
    """Regularization against overfitting."""

    dropout: float = setting(0.2, "Dropout rate before the output layer", minimum=0, below=1, affects="number", common=True, aliases=("drop", "dropout_rate"))
    kernel_l1: float = setting(0.0, "L1 penalty on the kernel of the output layer", minimum=0, affects="number", role="penalty", aliases=("l1",))
    kernel_l2: float = setting(0.0, "L2 penalty on the kernel of the output layer", minimum=0, affects="number", role="penalty", aliases=("l2",))
    backbone_l1: float = setting(0.0, "L1 penalty on the trained kernels of the backbone", minimum=0, affects="number", role="penalty", idle_if=_NO_BACKBONE, refused_if=refuse(lambda c: c.backbone_l1 and c.lora_rank, f"`backbone_l1` {_WITH_ADAPTERS}"))
    backbone_l2: float = setting(0.0, "L2 penalty on the trained kernels of the backbone", minimum=0, affects="number", role="penalty", idle_if=_NO_BACKBONE, refused_if=refuse(lambda c: c.backbone_l2 and c.lora_rank, f"`backbone_l2` {_WITH_ADAPTERS}"))
    pretrained_l2: float = setting(0.0, "L2 penalty on the distance of trained backbone kernels from their pretrained values (L2-SP)", minimum=0, affects="number", role="penalty_to_pretrained", idle_if=_NO_BACKBONE, refused_if=(
        refuse(lambda c: c.pretrained_l2 and c.lora_rank, f"`pretrained_l2` {_WITH_ADAPTERS}"),
        refuse(lambda c: c.pretrained_l2 and not c.pretrained, "Received pretrained=False, but `pretrained_l2` needs pretrained weights. Remove --no-pretrained."),
    ))
    stochastic_depth: float | None = setting(None, "Stochastic depth: drop rate of the top residual path of the trained blocks, rising linearly with depth (default: rates of the preset)", minimum=0, below=1, affects="graph", idle_if=_NO_BACKBONE)


class ScheduleSettings(SettingGroup):
    """Training phases and their learning rates."""

    epochs: int = setting(10, "Epochs of the main phase", minimum=1, affects="number", common=True, aliases=("num_epochs", "n_epochs", "num_train_epochs", "iterations"))
    head_epochs: int = setting(0, "Head-only epochs before the main phase (auto: none if the output layer begins as a linear probe or is all that trains, else 2)", minimum=0, keywords=("auto",), affects="number")
    unfreeze_every: int = setting(0, "Gradual unfreezing: epochs after which one more block is unfrozen, from the top (0: all at once)", minimum=0, affects="number", idle_if=when(trainable_blocks=(0, 1)))
    batch_size: int = setting(32, "Examples per training step", minimum=1, affects="number", common=True, aliases=("bs", "batch", "per_device_train_batch_size"))
    learning_rate: float = setting(1e-4, "Peak learning rate of the main phase (auto: a learning-rate range test before the fit, for both phases)", minimum=1e-9, maximum=100, keywords=("auto",), affects="number", common=True, aliases=("lr", "eta", "rate"))
    head_learning_rate: float = setting(1e-3, "Peak learning rate of the head phase (after a start as class means at most that of the main phase)", minimum=1e-9, maximum=100, affects="number", idle_if=when(head_epochs=0), aliases=("head_lr", "lr_head"))
    learning_rate_schedule: str = setting("cosine", "Learning-rate schedule after the warm-up", choices=SCHEDULES, affects="graph", aliases=("lr_schedule", "lr_scheduler", "scheduler", "schedule"))
    warmup_fraction: float = setting(0.1, "Fraction of a phase's steps in which the learning rate rises from 0", minimum=0, below=1, affects="number", aliases=("warmup", "warmup_ratio"))
    min_warmup_steps: int = setting(5, "Least number of warm-up steps, for small training splits; at most a third of a phase", minimum=0, affects="number", idle_if=when(warmup_fraction=0))


class OptimizerSettings(SettingGroup):
    """Optimizer and its parameters."""

    optimizer: str = setting("adamw", "Optimizer", choices=OPTIMIZERS, affects="graph")
    layer_decay: float = setting(1.0, "Layer-wise learning-rate decay: factor per block, from the top down; typically 0.65 to 0.95 (1: no decay)", minimum=0.01, maximum=1, affects="graph", idle_if=_NO_BACKBONE)
    weight_decay: float = setting(0.01, "Weight decay, except for biases and normalization layers", minimum=0, affects="number", aliases=("wd",))
    momentum: float = setting(0.9, "Momentum of SGD", minimum=0, below=1, affects="graph", idle_if=when(optimizer=lambda name: name != "sgd"))
    gradient_clip: float = setting(1.0, "Gradient clipping by global norm (0: no clipping)", minimum=0, affects="graph", aliases=("clip", "max_grad_norm", "clipnorm"))
    average_weights: str = setting("none", "Average of the trained weights, validated and stored in their place (ema: exponential moving average over about half an epoch; soup: on the command line, of the fits of --seeds or of the best trials of a search)", choices=("none", "ema", "soup"), affects="graph", idle_if=lambda config: "in a single fit: kerasft.average averages several" if config.average_weights == "soup" else "", aliases=("ema", "use_ema", "model_ema"))


class StoppingSettings(SettingGroup):
    """Choice of the best epoch and early stopping."""

    patience: int = setting(3, "Early stopping: epochs of a phase without improvement (monitored metric, ties by validation loss) before the phase stops (0: never)", minimum=0, affects="number", aliases=("early_stopping",))
    stop_when_hopeless: bool = setting(False, "Stop early if the loss diverged, never moved or lost a good start", affects="number")
    monitor: str | None = setting(None, f"Validation metric that selects the best epoch, such as val_loss (default: {describe_monitors()}; log target: val_loss)", affects="number", searchable=False)


class ComputeSettings(SettingGroup):
    """Precision, feature cache, data preparation and seed."""

    precision: str = setting("auto", "Floating-point precision (auto: float32 in short fits, else the fastest)", choices=("float32", "mixed_bfloat16", "mixed_float16", "auto"), affects="graph", aliases=("fp16", "bf16", "amp", "mixed_precision"))
    cache: bool = setting(True, "Cache frozen features if that saves compute", affects="number")
    cache_gigabytes: float = setting(8.0, "Size limit of the feature cache in memory, in GB; larger features are mapped from files", minimum=0, affects="number", idle_if=when(cache=False))
    cache_precision: str = setting("float32", "Floating-point precision of the feature cache (bfloat16: half the size)", choices=("float32", "bfloat16"), affects="number", idle_if=when(cache=False))
    memory_gigabytes: float | None = setting(None, "Size limit of prepared data in memory, in GB; larger data are mapped from files (default: a quarter of the free memory)", minimum=0, affects="number", searchable=False)
    disk_gigabytes: float = setting(100.0, "Size limit of prepared data and frozen features in files, in GB (folder: KERASFT_CACHE); the least recently used are removed first", minimum=0, affects="number", searchable=False)
    data_workers: int = setting(0, "Number of threads that prepare data (0: one per core)", minimum=0, affects="number", searchable=False, aliases=("num_workers", "dataloader_num_workers"))
    seed: int = setting(0, "Random seed of splits, shuffling, initialization and dropout", minimum=0, affects="number", searchable=False)


class ImageSettings(SettingGroup):
    """Image preparation and image backbones."""

    image_column = Part("image", "Column of the image path", role="column")
    image_size: int = setting(224, "Image height and width, in pixels", minimum=8, maximum=4096, common=True, aliases=("img_size", "size", "imgsz"))
    resize: str = setting("crop", "How non-square images are fitted: center crop, stretch, or pad with black", choices=("crop", "stretch", "pad"))
    freeze_batch_norm: bool = setting(True, "Freeze BatchNormalization in trained blocks, with its pretrained statistics", affects="graph", idle_if=_NO_BACKBONE, refused_if=(
        refuse(lambda c: not c.pretrained and c.trainable_blocks != 0 and c.freeze_batch_norm, "Received pretrained=False, but `freeze_batch_norm` needs pretrained statistics. Add --no-freeze-batch-norm."),
        refuse(lambda c: c.lora_rank > 0 and not c.freeze_batch_norm, "Received freeze_batch_norm=False, but `lora_rank` needs frozen BatchNormalization. Remove --no-freeze-batch-norm."),
    ))
    pooling: str = setting("auto", "Pooling of the feature map to one vector (auto: by model family)", choices=("auto", "average", "max", "first"), affects="graph")


def _mixed(name: str) -> tuple[Condition, Condition]:
    return (
        refuse(lambda c: getattr(c, name) and not task_of(c.task).mixup, f"`{name}` needs a task with classes, but task={{c.task}} has none. Set {name} to 0."),
        refuse(lambda c: getattr(c, name) and c.class_weight == "balanced", f"`{name}` cannot be combined with class_weight=balanced, because a mixed example has two classes. Use class_weight=none."),
    )


class AugmentationSettings(SettingGroup):
    """Augmentation of the training images."""

    augmentation: str = setting("light", "Image augmentation (randaugment: two of eleven strong operations, drawn per batch)", choices=("none", "light", "strong", "randaugment"), affects="graph", aliases=("augment", "aug"))
    horizontal_flip: bool = setting(True, "Random horizontal flips (not for digits or text in images)", affects="graph", idle_if=when(augmentation="none"))
    random_erasing: float = setting(0.0, "Random erasing: fraction of training images with an erased patch", minimum=0, maximum=1, affects="graph")
    mixup: float = setting(0.0, "Mixup strength (alpha): blend pairs of training images and their labels; typically 0.2 (0: off)", minimum=0, maximum=1, affects="graph", role="mixing", refused_if=_mixed("mixup"))
    cutmix: float = setting(0.0, "CutMix strength (alpha): paste a patch of another training image and mix labels by area; typically 1 (0: off)", minimum=0, maximum=1, affects="graph", role="mixing", refused_if=_mixed("cutmix"))


class TextSettings(SettingGroup):
    """Text preparation and text backbones."""

    text_column = Part("text", "Column of the text", role="column", common=True, aliases=("text",))
    text_pair_column = Part("text_pair", "Column of the second text of a pair", role="column")
    pair_mode: str = setting("auto", "How a pair of texts is read: cross (both in one input) or towers (each by itself in a shared backbone, then compared) (auto: towers for sentence encoders, else cross)", choices=("auto", "cross", "towers"), idle_if=when(text_pair_column=None))
    sequence_length: int = setting(128, "Maximum length in tokens, in towers that of each text; longer texts are truncated", minimum=4, aliases=("max_length", "max_len", "max_seq_length"))
    word_dropout: float = setting(0.0, "Fraction of tokens masked at random in training texts", minimum=0, below=1, affects="graph")
    freeze_embeddings: bool = setting(False, "Frozen embeddings: keep token and position embeddings frozen in trained blocks too", affects="graph", idle_if=(_NO_BACKBONE, when(lora_rank=bool)))
    pooling: str = setting("auto", "Pooling of the token states to one vector (auto: by model family)", choices=("auto", "mean", "first", "last"), affects="graph")
    feature_norm: str = setting("none", "Length of the vector of a text (rms: the root of its width, so that directions alone count; auto: rms for classes of a sentence encoder, unless the output layer begins at random)", choices=("auto", "none", "rms"), affects="graph")
# fmt: on
