"""Graphs that take prepared inputs and return numbers, in the formats ONNX and LiteRT."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasft.evaluation.graph_file import LITERT, ONNX
from kerasft.evaluation.load import Loaded
from kerasft.models import with_features
from kerasft.serving.quantized_score import FLOAT16, INT8, Quantization
from kerasft.serving.signatures import prepared_inputs

_OPSET = 18  # of ONNX; onnxruntime reads it since 1.14 (2023)


def write_onnx(loaded: Loaded, folder: Path) -> None:
    """Write the graph of a run as `model.onnx`.

    Args:
        loaded: Run in memory, in float32.
        folder: Folder to write to.
    """
    import tf2onnx

    function, specs, _ = _numbers(loaded)
    # Its optimizer prints a traceback for a step that it leaves out.
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with _whole_graph():
        tf2onnx.convert.from_function(
            _traced(function, specs),
            input_signature=specs,
            opset=_OPSET,
            output_path=str(folder / ONNX),
        )


def write_litert(
    loaded: Loaded,
    folder: Path,
    quantization: Quantization | None,
    samples: list[dict[str, np.ndarray]],
) -> None:
    """Write the graph of a run as `model.tflite`.

    Args:
        loaded: Run in memory, in float32.
        folder: Folder to write to.
        quantization: Number format of a smaller graph; None for float32.
        samples: Prepared inputs by name, one example each, by which `int8` scales activations.
    """
    import tensorflow as tf

    quantize = None if quantization is None else quantization.kind
    function, specs, model = _numbers(loaded)
    # The converter reads variables from a SavedModel alone.
    with tempfile.TemporaryDirectory() as saved:
        archive = keras.export.ExportArchive()
        archive.track(model)
        with _whole_graph():
            archive.add_endpoint("serve", function, input_signature=specs)
            archive.write_out(saved, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(saved)
        if quantize is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == FLOAT16:
            converter.target_spec.supported_types = [tf.float16]
        if quantize == INT8:
            converter.representative_dataset = lambda: iter(samples)
        with warnings.catch_warnings():
            # The converter scales activations by the interpreter in TensorFlow.
            warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated")
            (folder / LITERT).write_bytes(converter.convert())


def _numbers(loaded: Loaded) -> tuple[Callable[..., dict[str, Any]], list[Any], keras.Model]:
    """Return the function from prepared inputs to numbers, its inputs, and the model in it.

    The predicted class is its index.
    """
    import tensorflow as tf

    model = with_features(loaded.model)
    prepared = prepared_inputs(loaded.model)
    names = list(prepared) if isinstance(prepared, dict) else []
    specs = list(prepared.values()) if names else [prepared]

    def numbers(*tensors: Any) -> dict[str, Any]:
        x = dict(zip(names, tensors, strict=True)) if names else tensors[0]
        found = (model or loaded.model)(x, training=False)
        outputs, *features = [found] if model is None else found
        kind = loaded.labels.kind
        decided = kind.decide(loaded.labels, outputs, loaded.calibration, *features)
        if decided.pop("best", None) is not None:
            # The argmax of Keras has an operation that ONNX lacks.
            decided["prediction"] = tf.argmax(decided["probabilities"], -1, tf.int32)
        return decided

    return numbers, specs, model or loaded.model


def _traced(function: Callable[..., Any], specs: list[Any]) -> Any:
    import tensorflow as tf

    traced = tf.function(function, input_signature=specs, autograph=False)
    traced.get_concrete_function()
    return traced


@contextlib.contextmanager
def _whole_graph() -> Iterator[None]:
    """Trace inner functions as parts of the graph: Keras compiles grouped convolutions by XLA."""
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)
