"""Training images that are newly rendered for every step."""

from __future__ import annotations

from typing import Any

import keras

from kerasft.config import Config, ImageConfig
from kerasft.data.builtin import check_builtin
from kerasft.data.examples import Data, Examples, Split
from kerasft.data.glyphs import glyph_names, render_glyphs
from kerasft.tasks import Labels

# Far from the seeds of training batches, which count up from 0.
_VALIDATION_SEED, _TEST_SEED = 2**40, 2**41
_HELD_OUT = 4096  # validation images, and test images
_IMAGES_PER_EPOCH = 64_000  # for recipes without a setting of that name


class RenderedGlyphs(keras.utils.PyDataset):
    """Batches of newly rendered glyphs, with a different seed for every batch and epoch.

    Args:
        batch_size: Number of images in a batch.
        batches: Number of batches in an epoch.
        image_size: Height and width of an image in pixels.
        seed: Random seed of all images.
    """

    def __init__(self, *, batch_size: int, batches: int, image_size: int, seed: int) -> None:
        super().__init__(workers=2, max_queue_size=16)
        self.batch_size, self.batches, self.image_size = batch_size, batches, image_size
        self.seed, self.epoch = seed, 0

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        seed = (self.seed * 1000 + self.epoch) * self.batches + index
        return render_glyphs(self.batch_size, seed=seed, image_size=self.image_size)

    def on_epoch_end(self) -> None:
        """Continue with new images."""
        self.epoch += 1


def load_glyphs(config: ImageConfig, *, images_per_epoch: int, held_out: int = _HELD_OUT) -> Data:
    """Return rendered glyphs: new training images per epoch, fixed validation and test images.

    Args:
        config: Config with image_size, batch_size and seed.
        images_per_epoch: Number of training images in an epoch.
        held_out: Number of validation images, and of test images.
    """
    names = tuple(glyph_names())
    train = RenderedGlyphs(
        batch_size=config.batch_size,
        batches=max(images_per_epoch // config.batch_size, 1),
        image_size=config.image_size,
        seed=config.seed,
    )
    splits = []
    for seed in (_VALIDATION_SEED, _TEST_SEED):
        x, y = render_glyphs(held_out, seed=seed + config.seed, image_size=config.image_size)
        origins = [f"rendered glyph {i}" for i in range(held_out)]
        splits.append(Split(x, y, Examples(list(x), [names[i] for i in y], origins)))
    return Data(train, splits[0], splits[1], Labels("classification", names), (), "rendered")


def load_builtin_glyphs(config: Config) -> Data:
    """Return `builtin:glyphs` for a config, with its `images_per_epoch` if it has this setting.

    Raises:
        DataError: The recipe is not for images or not for classification.
    """
    check_builtin("glyphs", config)
    images: Any = config
    images_per_epoch = getattr(images, "images_per_epoch", _IMAGES_PER_EPOCH)
    held_out = min(_HELD_OUT, images_per_epoch)  # a short epoch is not measured by a long split
    return load_glyphs(images, images_per_epoch=images_per_epoch, held_out=held_out)
