"""Tiny backbones of every family with random weights, saved as presets; see `kerasft.testing`."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

# fmt: off
WORDS = [
    "the", "a", "is", "my", "not", "and", "to", "of", "in", "it", "good", "bad",
    "great", "awful", "movie", "film", "card", "parcel", "money", "refund", "login", "late",
    "broken", "new",
    "old", "red", "green", "blue", "one", "two", "cat", "dog", "flower", "rose", "daisy",
]
# fmt: on
SIZE = 32  # pixels, of families that take one size


def _save_images(backbone: Any, converter: str, folder: Path, scale: float = 1 / 127.5) -> None:
    import keras_hub

    backbone.save_to_preset(str(folder))
    offset = -1.0 if scale == 1 / 127.5 else 0.0
    kind = getattr(keras_hub.layers, f"{converter}ImageConverter")
    kind(image_size=(SIZE, SIZE), scale=scale, offset=offset).save_to_preset(str(folder))


def _resnet(folder: Path, *, pre_activation: bool = False) -> None:
    import keras_hub

    backbone = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 64, 64],
        stackwise_num_blocks=[1, 1, 1],
        stackwise_num_strides=[1, 2, 2],
        block_type="basic_block",
        use_pre_activation=pre_activation,
    )
    _save_images(backbone, "ResNet", folder)


def _resnet_v2(folder: Path) -> None:
    _resnet(folder, pre_activation=True)


def _vgg(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.VGGBackbone([1, 1, 2], [8, 16, 16])
    _save_images(backbone, "VGG", folder)


def _efficientnet(folder: Path, *, kind: str = "v1", squeeze: float = 0.25) -> None:
    import keras_hub

    backbone = keras_hub.models.EfficientNetBackbone(
        stackwise_width_coefficients=[1.0] * 3,
        stackwise_depth_coefficients=[1.0] * 3,
        stackwise_kernel_sizes=[3, 3, 3],
        stackwise_num_repeats=[1, 1, 2],
        stackwise_input_filters=[8, 8, 16],
        stackwise_output_filters=[8, 16, 24],
        stackwise_expansion_ratios=[1, 4, 4],
        stackwise_strides=[1, 2, 2],
        stackwise_squeeze_and_excite_ratios=[squeeze] * 3,
        stackwise_block_types=[kind] * 3,
        stackwise_force_input_filters=[0] * 3,
        input_shape=(None, None, 3),
    )
    _save_images(backbone, "EfficientNet", folder, 1 / 255.0)


def _efficientnet_v2(folder: Path) -> None:
    _efficientnet(folder, kind="fused")


def _efficientnet_lite(folder: Path) -> None:
    _efficientnet(folder, squeeze=0.0)


def _xception(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.XceptionBackbone([[8, 16], [16, 16]], [True, False])
    _save_images(backbone, "Xception", folder)


def _mobilenet(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.MobileNetBackbone(
        stackwise_expansion=[[8, 16], [16, 16]],
        stackwise_num_blocks=[2, 2],
        stackwise_num_filters=[[8, 8], [16, 16]],
        stackwise_kernel_size=[[3, 3], [3, 3]],
        stackwise_num_strides=[[2, 1], [2, 1]],
        stackwise_se_ratio=[[None, None], [0.25, 0.25]],
        stackwise_activation=[["relu", "relu"], ["hard_swish", "hard_swish"]],
        stackwise_padding=[[1, 1], [1, 1]],
        output_num_filters=32,
        input_activation="hard_swish",
        output_activation="hard_swish",
        input_num_filters=8,
        depthwise_filters=8,
        depthwise_stride=1,
        depthwise_residual=True,
        squeeze_and_excite=0.5,
        last_layer_filter=32,
    )
    _save_images(backbone, "MobileNet", folder)


def _densenet(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.DenseNetBackbone([1, 2], growth_rate=8)
    _save_images(backbone, "DenseNet", folder)


def _cspnet(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.CSPNetBackbone(
        stem_filters=8,
        stem_kernel_size=3,
        stem_strides=1,
        stackwise_depth=[1, 1, 2],
        stackwise_strides=[2, 2, 2],
        stackwise_num_filters=[8, 16, 16],
        block_type="dark_block",
        stage_type="csp",
        block_ratio=[0.5],
    )
    _save_images(backbone, "CSPNet", folder)


def _vit(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.ViTBackbone(
        image_shape=(SIZE, SIZE, 3), patch_size=(8, 8), num_layers=3, num_heads=2, hidden_dim=16,
        mlp_dim=32,
    )  # fmt: skip
    _save_images(backbone, "ViT", folder)


def _deit(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.DeiTBackbone(
        image_shape=(SIZE, SIZE, 3), patch_size=8, num_layers=3, num_heads=2, hidden_dim=16,
        intermediate_dim=32,
    )  # fmt: skip
    _save_images(backbone, "DeiT", folder)


def _dinov2(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.DINOV2Backbone(
        patch_size=8, num_layers=3, hidden_dim=16, num_heads=2, intermediate_dim=32,
        image_shape=(SIZE, SIZE, 3), position_embedding_shape=(SIZE, SIZE),
    )  # fmt: skip
    _save_images(backbone, "DINOV2", folder)


def _swin(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.SwinTransformerBackbone(
        image_shape=(SIZE, SIZE, 3), embed_dim=8, depths=(1, 2), num_heads=(1, 2), window_size=4,
    )  # fmt: skip
    _save_images(backbone, "SwinTransformer", folder)


def _mit(folder: Path) -> None:
    import keras_hub

    backbone = keras_hub.models.MiTBackbone(
        layerwise_depths=[1, 1], num_layers=2, layerwise_num_heads=[1, 2],
        layerwise_sr_ratios=[2, 1], max_drop_path_rate=0.1, layerwise_patch_sizes=[7, 3],
        layerwise_strides=[4, 2], image_shape=(SIZE, SIZE, 3), hidden_dims=[8, 16],
    )  # fmt: skip
    _save_images(backbone, "MiT", folder)


def _convnext(folder: Path) -> Path:
    """A ConvNeXt of keras.applications, as a file."""
    from keras.src.applications.convnext import ConvNeXt  # those that are public are large

    model = ConvNeXt(
        [1, 1, 2, 1],
        [8, 16, 16, 16],
        include_top=False,
        input_shape=(None, None, 3),
        weights_name="",
    )
    return _save_file(model, folder)


def _inception(folder: Path) -> Path:
    """Two modules of parallel paths, as Inception has them: found by the graph alone."""
    import keras

    def unit(x: Any, filters: int, size: int, strides: int = 1) -> Any:
        x = keras.layers.Conv2D(filters, size, strides, padding="same", use_bias=False)(x)
        return keras.layers.ReLU()(keras.layers.BatchNormalization()(x))

    inputs = keras.Input((None, None, 3))
    x = unit(inputs, 8, 3, 2)
    for index in range(2):
        paths = [unit(x, 8, 1), unit(unit(x, 4, 1), 8, 3), keras.layers.AveragePooling2D(
            3, 1, padding="same")(x)]  # fmt: skip
        x = keras.layers.Concatenate(name=f"mixed{index}")(paths)
        x = unit(x, 16, 3, 2)
    return _save_file(keras.Model(inputs, x), folder)


def _save_file(model: Any, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "model.keras")
    return folder / "model.keras"


IMAGE_FAMILIES: dict[str, Callable[[Path], Path | None]] = {
    "resnet": _resnet,
    "resnet_v2": _resnet_v2,
    "vgg": _vgg,
    "inception": _inception,
    "efficientnet": _efficientnet,
    "efficientnet_v2": _efficientnet_v2,
    "efficientnet_lite": _efficientnet_lite,
    "xception": _xception,
    "mobilenet": _mobilenet,
    "densenet": _densenet,
    "cspnet": _cspnet,
    "convnext": _convnext,
    "vit": _vit,
    "deit": _deit,
    "dinov2": _dinov2,
    "swin": _swin,
    "mit": _mit,
}

_TRANSFORMER = {
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 16,
    "intermediate_dim": 32,
    "max_sequence_length": 128,
    "dropout": 0.1,
}


def _save_texts(backbone: Any, tokenizer: Any, folder: Path, preprocessor: str = "") -> None:
    """Saves what a real preset of the family has: its preprocessor, or a tokenizer alone."""
    import keras_hub

    backbone.save_to_preset(str(folder))
    if preprocessor:
        kind = getattr(keras_hub.models, preprocessor)
        kind(tokenizer, sequence_length=32).save_to_preset(str(folder))
    else:
        tokenizer.save_to_preset(str(folder))


def _word_pieces() -> list[str]:
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    signs = list(".,!?'-")
    pieces = [*signs, *letters, *(f"##{letter}" for letter in letters), *WORDS[2:]]
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces]


def _bert(folder: Path) -> None:
    from keras_hub import models

    tokenizer = models.BertTokenizer(vocabulary=_word_pieces(), lowercase=True)
    backbone = models.BertBackbone(vocabulary_size=len(_word_pieces()), **_TRANSFORMER)
    _save_texts(backbone, tokenizer, folder, "BertTextClassifierPreprocessor")


def _distil_bert(folder: Path) -> None:
    from keras_hub import models

    tokenizer = models.DistilBertTokenizer(vocabulary=_word_pieces(), lowercase=True)
    backbone = models.DistilBertBackbone(vocabulary_size=len(_word_pieces()), **_TRANSFORMER)
    _save_texts(backbone, tokenizer, folder, "DistilBertTextClassifierPreprocessor")


def _electra(folder: Path) -> None:
    from keras_hub import models

    tokenizer = models.ElectraTokenizer(vocabulary=_word_pieces(), lowercase=True)
    backbone = models.ElectraBackbone(
        vocab_size=len(_word_pieces()), embedding_dim=8, **_TRANSFORMER
    )
    _save_texts(backbone, tokenizer, folder)


def _byte_pairs(special: list[str]) -> dict[str, Any]:
    """Returns a tokenizer's arguments: letters, and words where a space stands before them."""
    letters = [chr(code) for code in range(ord("!"), ord("~") + 1)]
    merges: dict[str, str] = {}
    for word in WORDS:
        for end in range(len(word)):
            merges["Ġ" + word[: end + 1]] = f"Ġ{word[:end]} {word[end]}"
    tokens = [*special, "Ġ", *letters, *merges]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    return {"vocabulary": vocabulary, "merges": list(merges.values())}


def _roberta(folder: Path) -> None:
    from keras_hub import models

    pairs = _byte_pairs(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    backbone = models.RobertaBackbone(vocabulary_size=len(pairs["vocabulary"]), **_TRANSFORMER)
    tokenizer = models.RobertaTokenizer(**pairs)
    _save_texts(backbone, tokenizer, folder, "RobertaTextClassifierPreprocessor")


def _gpt2(folder: Path) -> None:
    from keras_hub import models

    pairs = _byte_pairs(["<|endoftext|>"])
    backbone = models.GPT2Backbone(vocabulary_size=len(pairs["vocabulary"]), **_TRANSFORMER)
    _save_texts(backbone, models.GPT2Tokenizer(**pairs), folder, "GPT2CausalLMPreprocessor")


def _qwen(folder: Path) -> None:
    from keras_hub import models

    pairs = _byte_pairs(["<|endoftext|>"])
    backbone = models.QwenBackbone(
        vocabulary_size=len(pairs["vocabulary"]), num_layers=2, num_query_heads=2,
        num_key_value_heads=1, hidden_dim=16, intermediate_dim=32,
    )  # fmt: skip
    _save_texts(backbone, models.QwenTokenizer(**pairs), folder, "QwenCausalLMPreprocessor")


def _sentence_pieces(**special: Any) -> bytes:
    """Returns a vocabulary as sentencepiece trains it on the words."""
    import io

    import sentencepiece

    model = io.BytesIO()
    pairs = [" ".join(pair) for pair in itertools.product(WORDS, WORDS[:6])]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(pairs), model_writer=model, vocab_size=90, model_type="unigram",
        hard_vocab_limit=False, minloglevel=2, **special,
    )  # fmt: skip
    return model.getvalue()


def _xlm_roberta(folder: Path) -> None:
    from keras_hub import models

    proto = _sentence_pieces(unk_id=0, bos_id=1, eos_id=2)
    tokenizer = models.XLMRobertaTokenizer(proto)
    size = tokenizer.vocabulary_size()
    backbone = models.XLMRobertaBackbone(vocabulary_size=size, **_TRANSFORMER)
    _save_texts(backbone, tokenizer, folder, "XLMRobertaTextClassifierPreprocessor")


def _deberta_v3(folder: Path) -> None:
    from keras_hub import models

    proto = _sentence_pieces(
        pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]", bos_piece="[CLS]",
        eos_piece="[SEP]", unk_piece="[UNK]", user_defined_symbols="[MASK]",
    )  # fmt: skip
    tokenizer = models.DebertaV3Tokenizer(proto)
    backbone = models.DebertaV3Backbone(
        vocabulary_size=tokenizer.vocabulary_size(), bucket_size=8, **_TRANSFORMER
    )
    _save_texts(backbone, tokenizer, folder, "DebertaV3TextClassifierPreprocessor")


def _albert(folder: Path) -> None:
    from keras_hub import models

    proto = _sentence_pieces(
        pad_id=0, unk_id=1, bos_id=2, eos_id=3, pad_piece="<pad>", unk_piece="<unk>",
        bos_piece="[CLS]", eos_piece="[SEP]", user_defined_symbols="[MASK]",
    )  # fmt: skip
    tokenizer = models.AlbertTokenizer(proto)
    backbone = models.AlbertBackbone(
        vocabulary_size=tokenizer.vocabulary_size(), embedding_dim=8, num_groups=2, **_TRANSFORMER
    )
    _save_texts(backbone, tokenizer, folder, "AlbertTextClassifierPreprocessor")


def _t5(folder: Path) -> None:
    from keras_hub import models

    proto = _sentence_pieces(pad_id=0, eos_id=1, unk_id=2, bos_id=-1, pad_piece="<pad>")
    tokenizer = models.T5Tokenizer(proto)
    backbone = models.T5Backbone(
        vocabulary_size=tokenizer.vocabulary_size(), num_layers=2, num_heads=2, hidden_dim=16,
        intermediate_dim=32,
    )  # fmt: skip
    _save_texts(backbone, tokenizer, folder)


TEXT_FAMILIES: dict[str, Callable[[Path], Path | None]] = {
    "bert": _bert,
    "distil_bert": _distil_bert,
    "roberta": _roberta,
    "xlm_roberta": _xlm_roberta,
    "deberta_v3": _deberta_v3,
    "albert": _albert,
    "electra": _electra,
    "gpt2": _gpt2,
    "qwen": _qwen,
    "t5": _t5,
}
