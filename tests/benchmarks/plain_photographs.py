"""A plain Keras loop on the photographs of clothing10, a peer of `time_to_score`.

Reads {"data": DATA, "size": PIXELS, "seed": SEED} as JSON from standard input and prints
`validation ACCURACY` after every epoch.
It follows Keras' guide on transfer learning: the head on a frozen backbone first, then with the
last layers of the backbone, AdamW, flipped photographs. Frozen layers, main epochs, rates and the
start of the training are those of `efficientnet_pets`, as far as Keras has them.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_HEAD_EPOCHS = 2


def read_photographs(folder: Path, split: str, size: int, seed: int) -> Any:
    """Returns a split in batches of 32."""
    import keras

    return keras.utils.image_dataset_from_directory(
        folder / split, label_mode="int", image_size=(size, size), batch_size=32,
        shuffle=split == "train", seed=seed, verbose=False,
    )  # fmt: skip


def build(preset: str, classes: int, size: int) -> tuple[Any, Any]:
    """Returns the model and its backbone."""
    import keras
    import keras_hub

    from kerasft.presets.pixel_scaling import pixel_scaling

    backbone = keras_hub.models.Backbone.from_preset(preset)
    scale, offset = pixel_scaling(preset)
    inputs = keras.Input((size, size, 3))
    x = keras.layers.RandomFlip("horizontal")(inputs)
    x = keras.layers.Rescaling(scale, offset)(x)
    x = keras.layers.GlobalAveragePooling2D()(backbone(x, training=False))
    x = keras.layers.Dropout(0.2)(x)
    return keras.Model(inputs, keras.layers.Dense(classes)(x)), backbone


def compile_with(model: Any, rate: float, steps: int) -> None:
    """Compiles with AdamW and a cosine schedule to zero."""
    import keras

    model.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(rate, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )


def main() -> None:
    """Trains and prints the accuracy of every epoch."""
    import keras

    from kerasft.models import backbones, freeze
    from kerasft.recipes import efficientnet_pets as recipe
    from tests.benchmarks.time_to_score import PRESET

    backbones.speed_up = lambda model: None  # the layers as KerasHub makes them
    task = json.load(sys.stdin)
    folder = Path(task["data"]) / "clothing10-128"
    size, seed = task["size"], task["seed"]
    keras.utils.set_random_seed(seed)
    config = recipe.Config()
    train = read_photographs(folder, "train", size, seed)
    model, backbone = build(str(folder.parent / PRESET), len(train.class_names), size)
    # Decoded once; the order of the batches is drawn anew, that of their photographs is not.
    train = train.cache().shuffle(len(train)).prefetch(2)
    validation = read_photographs(folder, "validation", size, seed).cache()
    say = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: print("validation", logs["val_accuracy"], flush=True)
    )
    head = (0, _HEAD_EPOCHS, config.head_learning_rate)
    rest = (config.trainable_blocks, config.epochs, config.learning_rate)
    for blocks, epochs, rate in (head, rest):
        freeze(backbone, blocks)
        compile_with(model, rate, epochs * len(train))
        model.fit(train, validation_data=validation, epochs=epochs, callbacks=[say], verbose=0)


if __name__ == "__main__":
    main()
