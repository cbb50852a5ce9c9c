"""Answer prepared inputs by an exported folder of Hugging Face, in a fresh process.

It is run by its path: `python -I fresh_process.py FOLDER`. transformers answers, or
sentence-transformers for a folder with `modules.json`; without PyTorch, what KerasHub reads from
the folder, or TensorFlow for a ResNet. Nothing of kerasft can be imported. The answers are the last
line on standard output, as JSON.
"""

import importlib.util
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ARRAYS = "proof.npz"  # the prepared inputs

Arrays = dict[str, np.ndarray]
Values = dict[str, Any]

_TOKENS = {
    "token_ids": "input_ids",
    "padding_mask": "attention_mask",
    "segment_ids": "token_type_ids",
}


def main(path: str) -> None:
    """Print the outputs before softmax or sigmoid for the inputs in `proof.npz`.

    For texts also print how many of them the tokenizer of Hugging Face cuts into the same tokens.

    Args:
        path: Folder of the exported model.
    """
    sys.modules["kerasft"] = None  # type: ignore[assignment]
    began, folder = time.monotonic(), Path(path)
    config = _read(folder, "config.json")
    with np.load(folder / ARRAYS, allow_pickle=False) as file:
        x = dict(file)
    if (folder / "preprocessor_config.json").exists():
        (pixels,) = x.values()
        x = {"image": _scaled(pixels, _read(folder, "preprocessor_config.json"))}
    sentences = (folder / "modules.json").exists()
    library = "sentence_transformers" if sentences else "transformers"
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec(library) is None:
        library = "tensorflow" if config["model_type"] == "resnet" else "keras_hub"
    answer = {
        "transformers": _by_transformers,
        "sentence_transformers": _by_sentence_transformers,
        "keras_hub": _by_keras_hub,
        "tensorflow": _resnet_by_tensorflow,
    }[library]
    logits = answer(folder, config, x)
    about = {
        "by": f"{library.replace('_', '-')} {sys.modules[library].__version__}",
        "python": platform.python_version(),
        "seconds": round(time.monotonic() - began, 1),
    }
    if "token_ids" in x:
        about["same_tokens"] = _same_tokens(folder, _read(folder, "proof.json")["inputs"], x)
    print(json.dumps({"logits": np.asarray(logits, "float64").tolist(), "about": about}))


def _read(folder: Path, name: str) -> Values:
    return dict(json.loads((folder / name).read_text(encoding="utf-8")))


def _scaled(pixels: np.ndarray, processor: Values) -> np.ndarray:
    """Return pixels as the image processor scales them, shape (n, height, width, 3)."""
    mean, std = (np.array(processor[name], "float32") for name in ("image_mean", "image_std"))
    scaled = (pixels.astype("float32") * np.float32(processor["rescale_factor"]) - mean) / std
    return np.asarray(scaled)


def _same_tokens(folder: Path, inputs: Values, x: Arrays) -> int:
    """Return the number of texts or pairs with the same tokens, as far as they were read."""
    import tokenizers

    values = _read(folder, "tokenizer_config.json")
    if (folder / "vocab.txt").exists():
        tokenizer: Any = tokenizers.BertWordPieceTokenizer(
            str(folder / "vocab.txt"),
            lowercase=values["do_lower_case"],
            strip_accents=values["strip_accents"],
            handle_chinese_chars=values["tokenize_chinese_chars"],
        )
        special = ("[PAD]", "[CLS]", "[SEP]")
    else:
        tokenizer = tokenizers.ByteLevelBPETokenizer(
            str(folder / "vocab.json"),
            str(folder / "merges.txt"),
            add_prefix_space=values["add_prefix_space"],
        )
        special = ("<pad>", "<s>", "</s>")
    marks = [tokenizer.token_to_id(name) for name in special]
    same = 0
    for row, texts in zip(x["token_ids"].tolist(), zip(*inputs.values(), strict=True), strict=True):
        read = [token for token in row if token not in marks]
        parts = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        whole = [token for part in parts for token in part]
        # A text without padding may have been cut; a pair loses tokens in both texts then.
        if len(parts) == 1 and row[-1] != marks[0]:
            whole = whole[: len(read)]
        same += read == whole
    return same


def _by_transformers(folder: Path, config: Values, x: Arrays) -> Any:
    import torch
    import transformers

    model = getattr(transformers, config["architectures"][0]).from_pretrained(folder).eval()
    with torch.no_grad():
        if "image" in x:
            pixels = torch.from_numpy(x["image"].transpose(0, 3, 1, 2).copy())
            return model(pixel_values=pixels).logits.numpy()
        return model(**_torch_tokens(x)).logits.numpy()


def _by_sentence_transformers(folder: Path, config: Values, x: Arrays) -> Any:
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu").eval()
    with torch.no_grad():
        return model(_torch_tokens(x))["sentence_embedding"].numpy()


def _torch_tokens(x: Arrays) -> Values:
    import torch

    return {_TOKENS[name]: torch.from_numpy(values).long() for name, values in x.items()}


def _by_keras_hub(folder: Path, config: Values, x: Arrays) -> Any:
    import keras_hub

    if "image" in x:
        model = keras_hub.models.ImageClassifier.from_preset(
            str(folder), activation=None, preprocessor=None
        )
        return model.predict(x["image"], verbose=0)
    backbone = keras_hub.models.Backbone.from_preset(str(folder))
    states = backbone.predict(x, verbose=0)
    if (folder / "modules.json").exists():
        if isinstance(states, dict):
            states = states["sequence_output"]
        pooled = _pooled(states, x["padding_mask"] != 0, _read(folder, "1_Pooling/config.json"))
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        *before, dense = [module["path"] for module in modules]
        if any(path.endswith("Normalize") for path in before):
            pooled = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return _dense(pooled, _tensors(folder / dense), "linear")
    arrays = _tensors(folder)
    if isinstance(states, dict):
        return _dense(states["pooled_output"], arrays, "classifier")
    hidden = _dense(states[:, 0], arrays, "pre_classifier")
    return _dense(np.maximum(hidden, 0), arrays, "classifier")


def _pooled(states: np.ndarray, mask: np.ndarray, pooling: Values) -> np.ndarray:
    if pooling["pooling_mode_cls_token"]:
        return np.asarray(states[:, 0])
    if pooling["pooling_mode_lasttoken"]:
        last = mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
        return np.asarray(states[np.arange(len(states)), last])
    total = (states * mask[..., np.newaxis]).sum(axis=1)
    return np.asarray(total / mask.sum(axis=1, keepdims=True))


def _tensors(folder: Path) -> Arrays:
    from safetensors.numpy import load_file

    return dict(load_file(folder / "model.safetensors"))


def _dense(x: np.ndarray, arrays: Arrays, name: str) -> np.ndarray:
    return np.asarray(x @ arrays[f"{name}.weight"].T + arrays[f"{name}.bias"])


def _resnet_by_tensorflow(folder: Path, config: Values, x: Arrays) -> Any:
    """Return the outputs of a ResNet, which KerasHub does not read from Hugging Face."""
    import tensorflow as tf

    arrays = _tensors(folder)

    def unit(x: Any, name: str, stride: int, relu: bool = True) -> Any:
        kernel = arrays[f"{name}.convolution.weight"].transpose(2, 3, 1, 0)
        border = kernel.shape[0] // 2
        x = tf.pad(x, [[0, 0], [border, border], [border, border], [0, 0]])
        x = tf.nn.conv2d(x, kernel, stride, "VALID")
        leaves = ("running_mean", "running_var", "bias", "weight")
        mean, variance, shift, scale = (arrays[f"{name}.normalization.{leaf}"] for leaf in leaves)
        x = tf.nn.batch_normalization(x, mean, variance, shift, scale, 1e-5)
        return tf.nn.relu(x) if relu else x

    y = unit(x["image"], "resnet.embedder.embedder", 2)
    y = tf.nn.max_pool2d(tf.pad(y, [[0, 0], [1, 1], [1, 1], [0, 0]]), 3, 2, "VALID")
    bottleneck = config["layer_type"] == "bottleneck"
    for stage, depth in enumerate(config["depths"]):
        for block in range(depth):
            name = f"resnet.encoder.stages.{stage}.layers.{block}"
            stride = 2 if stage and not block else 1
            before = y
            for layer in range(2 + bottleneck):
                here = stride if layer == bottleneck else 1
                y = unit(y, f"{name}.layer.{layer}", here, relu=layer < 1 + bottleneck)
            if f"{name}.shortcut.convolution.weight" in arrays:
                before = unit(before, f"{name}.shortcut", stride, relu=False)
            y = tf.nn.relu(before + y)
    return _dense(tf.reduce_mean(y, [1, 2]).numpy(), arrays, "classifier.1")


if __name__ == "__main__":
    main(sys.argv[1])
