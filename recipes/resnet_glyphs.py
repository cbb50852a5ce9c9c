"""Pretrain the embedded backbone: a small ResNet on freshly rendered letters.

1.2 million parameters, images of 32 by 32 pixels. The letters are rendered for every step from the
fonts of Matplotlib; none is a digit. The backbone, exported as a preset, is the one that
resnet_digits starts from:

    kerasft fit resnet_glyphs && kerasft export resnet_glyphs --format preset
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.ImageConfig):
    dataset: Dataset = Dataset("builtin:glyphs")
    images_per_epoch: int = kerasft.setting(64_000, "Images rendered for an epoch", minimum=1)
    image_size: int = 32
    augmentation: str = "none"
    pretrained: bool = False
    freeze_batch_norm: bool = False
    epochs: int = 8
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup_fraction: float = 0.03
    label_smoothing: float = 0.1
    dropout: float = 0.1
    patience: int = 0


def build_model(config, data):
    import keras
    import keras_hub

    backbone = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64], input_conv_kernel_sizes=[5], stackwise_num_filters=[64, 128, 256],
        stackwise_num_blocks=[1, 1, 1], stackwise_num_strides=[1, 2, 2], block_type="basic_block",
    )  # fmt: skip
    inputs, features = kerasft.features(backbone, config)
    return keras.Model(inputs, kerasft.head(features, config, data.labels))
