"""Tokenizers and image processors as transformers reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from kerasft.config import ImageConfig, TextConfig
from kerasft.errors import SettingError
from kerasft.presets.tokenizers import load_preprocessor

_BILINEAR = 2  # in Pillow


def write_image_processor(config: ImageConfig, model: Any, folder: Path) -> None:
    """Write `preprocessor_config.json`.

    Pillow resizes in transformers, so pixels differ by up to 1 of 255. transformers does not pad:
    with `resize=pad` it expects images of the model's size.

    Args:
        config: Config of the run.
        model: Its model, whose layer `scaling` has the scaling of pixels.
        folder: Folder of the export.
    """
    scaling, size = model.get_layer("scaling"), config.image_size
    scale, offset = np.broadcast_arrays(scaling.scale, scaling.offset, np.zeros(3))[:2]
    std = 1 / (255 * scale)
    square = {"height": size, "width": size}
    crop = config.resize == "crop"
    values = {
        # The one of Perceiver crops before it resizes; processors do not depend on the model.
        "image_processor_type": f"{'Perceiver' if crop else 'ViT'}ImageProcessor",
        "do_center_crop": crop,
        "crop_size": square,
        "do_resize": config.resize != "pad",
        "size": square,
        "resample": _BILINEAR,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": (-offset * std).tolist(),
        "image_std": std.tolist(),
        "do_convert_rgb": True,
    }
    _write(folder / "preprocessor_config.json", values)


_TOKENS = {
    "token_ids": "input_ids",
    "padding_mask": "attention_mask",
    "segment_ids": "token_type_ids",
}  # names of inputs


def write_tokenizer(config: TextConfig, model: Any, folder: Path) -> None:
    """Write the vocabulary and `tokenizer_config.json`.

    Args:
        config: Config of the run.
        model: Its model, whose inputs the tokenizer returns.
        folder: Folder of the export.

    Raises:
        SettingError: transformers has no such tokenizer.
    """
    import keras_hub

    tokenizer = load_preprocessor(config).tokenizer
    values: dict[str, Any] = {
        "model_max_length": config.sequence_length,
        "model_input_names": [_TOKENS[name] for name in model.input],
    }
    if isinstance(tokenizer, keras_hub.tokenizers.WordPieceTokenizer):
        lines = "".join(f"{word}\n" for word in tokenizer.get_vocabulary())
        (folder / "vocab.txt").write_text(lines, encoding="utf-8")
        values |= {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": tokenizer.lowercase,
            "strip_accents": tokenizer.strip_accents,
            "tokenize_chinese_chars": tokenizer.split_on_cjk,
        }
    elif isinstance(tokenizer, keras_hub.models.RobertaTokenizer):
        tokenizer.save_assets(str(folder))
        (folder / "vocabulary.json").rename(folder / "vocab.json")
        values |= {
            "tokenizer_class": "RobertaTokenizer",
            "add_prefix_space": tokenizer.add_prefix_space,
        }
    else:
        raise SettingError(
            f"transformers has no {type(tokenizer).__name__}. Use --format saved_model."
        )
    _write(folder / "tokenizer_config.json", values)


def _write(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
