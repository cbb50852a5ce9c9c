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
    draw from the same distributions. All but the first interpolate the pixels anew, which takes
    longer and blurs them. Pixels from outside are those of the nearest border.

    Args:
        flip: Whether to mirror half of the images horizontally.
        translation: Largest shift, as a fraction of height and width.
        rotation: Largest rotation in either direction, as a fraction of a full turn.
        zoom: Bounds of the relative change of the visible part, such as (-0.25, 0.1).

    Example:
        >>> layer = RandomAffine(translation=0.5)
        >>> layer(np.zeros((2, 8, 8, 3), "float32"), training=True).shape
        TensorShape([2, 8, 8, 3])
    """

    def __init__(
        self,
        *,
        flip: bool = False,
        translation: float = 0.0,
        rotation: float = 0.0,
        zoom: tuple[float, float] = (0.0, 0.0),
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.flip, self.translation, self.rotation = flip, translation, rotation
        self.zoom = tuple(zoom)
        self.seed_generator = keras.random.SeedGenerator()
        # XLA lacks TensorFlow's ImageProjectiveTransform, and has that of JAX.
        self.supports_jit = keras.backend.backend() != "tensorflow"

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
        sign = ops.where(drawn[0] < 0, -1.0, 1.0) if self.flip else ops.ones_like(drawn[0])
        angle = drawn[1] * self.rotation * 2 * math.pi
        lower, upper = self.zoom
        scale = 1 + (lower + upper) / 2 + drawn[2] * (upper - lower) / 2
        height, width = ops.cast(height, "float32"), ops.cast(width, "float32")
        cosine, sine = ops.cos(angle) * scale, ops.sin(angle) * scale
        center_x, center_y = (width - 1) / 2, (height - 1) / 2  # it stays where nothing shifts
        dx, dy = drawn[3] * self.translation * width, drawn[4] * self.translation * height
        zeros = ops.zeros_like(angle)  # no perspective
        a, b, c, d = sign * cosine, -sign * sine, sine, cosine
        rows = [
            a, b, center_x - sign * dx - a * center_x - b * center_y,
            c, d, center_y - dy - c * center_x - d * center_y,
            zeros, zeros,
        ]  # fmt: skip
        return ops.stack(rows, axis=1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the input shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the configuration with the arguments of the layer."""
        names = ("flip", "translation", "rotation", "zoom")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
