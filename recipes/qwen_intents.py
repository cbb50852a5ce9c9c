"""Sort requests to an assistant by 150 intents: Qwen2.5 with adapters (LoRA) on CLINC.

15,000 training, 3,000 validation and 4,500 test requests; a decoder, read at the last token.
Adapters of rank 8 in its top 12 layers are all that is trained beside the output layer. For a GPU.
Downloads: clinc_oos through TFDS (0.3 MiB), qwen2.5_0.5b_en through KerasHub (494 million
parameters).
"""

import kerasft
from kerasft import Dataset


class Config(kerasft.TextConfig):
    preset: str = "qwen2.5_0.5b_en"
    dataset: Dataset = Dataset("tfds:clinc_oos", text="text", label="intent_name")
    sequence_length: int = 48
    trainable_blocks: int = 12
    lora_rank: int = 8
    head_epochs: int = 1
    epochs: int = 3
    learning_rate: float = 0.0005
    learning_rate_schedule: str = "linear"
    dropout: float = 0.1
    precision: str = "mixed_bfloat16"


def build_model(config, data):
    import keras

    backbone = kerasft.load_backbone(config)
    kerasft.freeze(backbone, config)
    inputs, features = kerasft.features(backbone, config)
    return keras.Model(inputs, kerasft.head(features, config, data.labels))


def search_space(hp):
    hp.Float("learning_rate", 1e-4, 2e-3, sampling="log")
    hp.Choice("lora_rank", [8, 4, 16])
