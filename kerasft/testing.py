"""For tests of recipes: tiny real presets, and a conformance check for a recipe of one's own.

def test_my_recipe(tmp_path):
    kerasft.testing.check_recipe("my_recipe.py", tmp_path, dataset="tiny_photos/")
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from kerasft.catalog import load_recipe
from kerasft.config import Config, from_dict, to_dict
from kerasft.errors import KerasftError

# fmt: off
WORDS = [
    "the", "a", "is", "my", "not", "and", "to", "of", "in", "it", "good", "bad",
    "great", "awful", "movie", "film", "card", "parcel", "money", "refund", "login", "late",
    "broken", "new",
    "old", "red", "green", "blue", "one", "two", "cat", "dog", "flower", "rose", "daisy",
]
# fmt: on


def tiny_preset(family: str, folder: str | Path) -> str:
    """Saves a tiny backbone with random weights as a preset, as `from_preset` reads it.

    Args:
        family: `resnet`, `resnet_v2`, `efficientnet`, `bert`, `distil_bert` or `roberta`.
        folder: Where to save it.

    Returns:
        The folder, for `preset=`.

    Example:
        >>> config = recipe.Config(preset=tiny_preset("bert", tmp_path / "bert"))
    """
    import keras

    if family not in FAMILIES:
        raise KerasftError(f"`family` must be one of {', '.join(FAMILIES)}. Received: {family!r}.")
    folder = Path(folder)
    keras.utils.set_random_seed(0)
    FAMILIES[family](folder)
    return str(folder)


def _resnet(folder: Path, *, pre_activation: bool = False) -> None:
    import keras_hub

    keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 64, 64],
        stackwise_num_blocks=[1, 1, 1],
        stackwise_num_strides=[1, 2, 2],
        block_type="basic_block",
        use_pre_activation=pre_activation,
    ).save_to_preset(str(folder))
    keras_hub.layers.ResNetImageConverter(
        image_size=(32, 32), scale=1 / 127.5, offset=-1.0
    ).save_to_preset(str(folder))


def _resnet_v2(folder: Path) -> None:
    _resnet(folder, pre_activation=True)


def _efficientnet(folder: Path) -> None:
    import keras_hub

    keras_hub.models.EfficientNetBackbone(
        stackwise_width_coefficients=[1.0] * 3,
        stackwise_depth_coefficients=[1.0] * 3,
        stackwise_kernel_sizes=[3, 3, 3],
        stackwise_num_repeats=[1, 1, 2],
        stackwise_input_filters=[8, 8, 16],
        stackwise_output_filters=[8, 16, 24],
        stackwise_expansion_ratios=[1, 4, 4],
        stackwise_strides=[1, 2, 2],
        stackwise_squeeze_and_excite_ratios=[0.25] * 3,
        stackwise_block_types=["v1"] * 3,
        stackwise_force_input_filters=[0] * 3,
        input_shape=(None, None, 3),
    ).save_to_preset(str(folder))
    keras_hub.layers.EfficientNetImageConverter(
        image_size=(32, 32), scale=1 / 255.0
    ).save_to_preset(str(folder))


_TRANSFORMER = {
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 16,
    "intermediate_dim": 32,
    "max_sequence_length": 128,
    "dropout": 0.1,
}


def _bert(folder: Path) -> None:
    import keras_hub

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_pieces("##")]
    models = keras_hub.models
    models.BertBackbone(vocabulary_size=len(vocabulary), **_TRANSFORMER).save_to_preset(str(folder))
    tokenizer = models.BertTokenizer(vocabulary=vocabulary, lowercase=True)
    models.BertTextClassifierPreprocessor(tokenizer, sequence_length=32).save_to_preset(str(folder))


def _distil_bert(folder: Path) -> None:
    import keras_hub

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_pieces("##")]
    models = keras_hub.models
    backbone = models.DistilBertBackbone(vocabulary_size=len(vocabulary), **_TRANSFORMER)
    backbone.save_to_preset(str(folder))
    tokenizer = models.DistilBertTokenizer(vocabulary=vocabulary, lowercase=True)
    preprocessor = models.DistilBertTextClassifierPreprocessor(tokenizer, sequence_length=32)
    preprocessor.save_to_preset(str(folder))


def _roberta(folder: Path) -> None:
    import keras_hub

    letters = [chr(code) for code in range(ord("!"), ord("~") + 1)]
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "Ġ", "Ġa", *letters]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    models = keras_hub.models
    backbone = models.RobertaBackbone(vocabulary_size=len(vocabulary), **_TRANSFORMER)
    backbone.save_to_preset(str(folder))
    tokenizer = models.RobertaTokenizer(vocabulary=vocabulary, merges=["Ġ a"])
    preprocessor = models.RobertaTextClassifierPreprocessor(tokenizer, sequence_length=32)
    preprocessor.save_to_preset(str(folder))


def _pieces(prefix: str) -> list[str]:
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    signs = list(".,!?'-")
    return [*signs, *letters, *(prefix + letter for letter in letters), *WORDS[2:]]


FAMILIES: dict[str, Callable[[Path], None]] = {
    "resnet": _resnet,
    "resnet_v2": _resnet_v2,
    "efficientnet": _efficientnet,
    "bert": _bert,
    "distil_bert": _distil_bert,
    "roberta": _roberta,
}


def check_recipe(recipe: ModuleType | str, folder: str | Path, **settings: Any) -> None:
    """Checks that a recipe keeps the contract, by fitting it for one epoch.

    The recipe loads, its settings survive JSON, data and model agree in classes and shapes, its
    search space names settings, a fit records a run, and a run loaded again predicts the same.

    Args:
        recipe: A recipe module, its name, or the path of its file.
        folder: Where the run may be written.
        **settings: Settings that make it quick: a tiny preset and a small data set.

    Raises:
        KerasftError: What does not hold, in words.
    """
    import numpy as np

    import kerasft
    from kerasft.training.evaluation import predict_arrays

    module = load_recipe(recipe) if isinstance(recipe, str) else recipe
    config = module.Config(**{"epochs": 1, "head_epochs": 0, "batch_size": 8, **settings})
    if from_dict(type(config), json.loads(json.dumps(to_dict(config)))) != config:
        raise KerasftError("The settings change on their way through JSON.")
    _check_search_space(module, config)
    data = module.load_data(config)
    model = module.build_model(config, data)
    outputs = data.labels.num_outputs
    if tuple(model.output.shape) != (None, outputs):
        raise KerasftError(
            f"build_model must give outputs of shape (batch, {outputs}) for these data. "
            f"Received: {tuple(model.output.shape)}."
        )
    run = kerasft.fit(module, config, runs_dir=Path(folder) / "runs", progress=False)
    first, again = (kerasft.load_model(run).model for _ in range(2))
    part = data.validation
    one, two = (predict_arrays(m, part.x, config.batch_size) for m in (first, again))
    if not np.array_equal(one, two):
        raise KerasftError("Two loads of the same run predict differently.")
    _check_record(run, data)


def _check_search_space(module: ModuleType, config: Config) -> None:
    if not hasattr(module, "search_space"):
        return
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    module.search_space(hp)
    known = {field.name for field in dataclasses.fields(config)}
    unknown = sorted(set(hp.values) - known)
    if unknown:
        raise KerasftError(f"search_space names no settings of Config: {', '.join(unknown)}.")


def _check_record(run: Any, data: Any) -> None:
    needed: Sequence[str] = ("config.json", "labels.json", "history.csv", "metrics.json")
    missing = [name for name in needed if not (run.path / name).exists()]
    if missing:
        raise KerasftError(f"The run has no {', '.join(missing)}.")
    if run.manifest["data"]["fingerprint"] != data.fingerprint:
        raise KerasftError("Two calls of load_data give different data.")
