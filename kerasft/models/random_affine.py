"""Random flips, shifts, rotations and zooms of images, as a layer that is active in training."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerasft")
class RandomAffine(keras.layers.Layer):
    """A layer that moves the pixels of each image once, by all its random changes together.

    `RandomFlip`, `RandomTranslation`, `RandomRotation` and `RandomZoom` of Keras in this order
    draw from the same distributions, but interpolate the pixels anew for each change, which takes
    longer and blurs them. Pixels from outside are those of the nearest border.

    Args:
        flip: Whether to mirror half of the images horizontally.
        shift: Largest shift, as a fraction of height and width.
        turn: Largest rotation in either direction, as a fraction of a whole turn.
        zoom: Bounds of the relative change of the visible part, such as (-0.25, 0.1).

    Example:
        >>> layer = RandomAffine(shift=0.5)
        >>> layer(np.zeros((2, 8, 8, 3), "float32"), training=True).shape
        TensorShape([2, 8, 8, 3])
    """

    def __init__(
        self,
        *,
        flip: bool = False,
        shift: float = 0.0,
        turn: float = 0.0,
        zoom: tuple[float, float] = (0.0, 0.0),
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.flip, self.shift, self.turn, self.zoom = flip, shift, turn, tuple(zoom)
        self.seed_generator = keras.random.SeedGenerator()
        self.supports_jit = False  # as in the layers of Keras: XLA has no such operation

    def call(self, images: Any, training: bool = False) -> Any:
        """Return the images, of shape (batch, height, width, channels), changed in training."""
        if not training:
            return images
        return ops.image.affine_transform(
            images, self._transforms(*ops.shape(images)[:3]), fill_mode="nearest",
            data_format="channels_last",
        )  # fmt: skip

    def _transforms(self, count: Any, height: Any, width: Any) -> Any:
        """Return the rows that map pixels of each output to those of its input."""
        drawn = keras.random.uniform((5, count), -1, 1, seed=self.seed_generator)
        side = ops.where(drawn[0] < 0, -1.0, 1.0) if self.flip else ops.ones_like(drawn[0])
        angle = drawn[1] * self.turn * 2 * math.pi
        lower, upper = self.zoom
        visible = 1 + (lower + upper) / 2 + drawn[2] * (upper - lower) / 2
        height, width = ops.cast(height, "float32"), ops.cast(width, "float32")
        cosine, sine = ops.cos(angle) * visible, ops.sin(angle) * visible
        x, y = (width - 1) / 2, (height - 1) / 2  # the center, which stays where nothing shifts
        left, top = drawn[3] * self.shift * width, drawn[4] * self.shift * height
        none = ops.zeros_like(angle)  # of a perspective
        of_x = [side * cosine, -side * sine]
        of_y = [sine, cosine]
        rows = [
            *of_x, x - side * left - of_x[0] * x - of_x[1] * y,
            *of_y, y - top - of_y[0] * x - of_y[1] * y,
            none, none,
        ]  # fmt: skip
        return ops.stack(rows, axis=1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the input shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the configuration with the arguments of the layer."""
        own = {name: getattr(self, name) for name in ("flip", "shift", "turn", "zoom")}
        return {**super().get_config(), **own}
