"""Tiny backbones of every text family with random weights and tokenizers, saved as presets."""

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
_TRANSFORMER = {
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 16,
    "intermediate_dim": 32,
    "max_sequence_length": 128,
    "dropout": 0.1,
}


def _save_texts(backbone: Any, tokenizer: Any, folder: Path, preprocessor: str = "") -> None:
    """Save the parts that real presets of the family have: a preprocessor, or a tokenizer only."""
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
    """Return the arguments of a BPE tokenizer: letters, and words after a space."""
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


def _llama(folder: Path) -> None:
    from keras_hub import models

    special = ["begin_of_text", "end_of_text", "start_header_id", "end_header_id", "eot_id"]
    pairs = _byte_pairs([f"<|{name}|>" for name in special])
    backbone = models.Llama3Backbone(
        vocabulary_size=len(pairs["vocabulary"]), num_layers=2, num_query_heads=2,
        num_key_value_heads=1, hidden_dim=16, intermediate_dim=32,
    )  # fmt: skip
    _save_texts(backbone, models.Llama3Tokenizer(**pairs), folder, "Llama3CausalLMPreprocessor")


def _sentence_pieces(**special: Any) -> bytes:
    """Return a serialized SentencePiece model trained on `WORDS`.

    Args:
        **special: Ids and pieces of special tokens, for `SentencePieceTrainer.train`.
    """
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


def _albert_pieces() -> bytes:
    """Return a SentencePiece model with the special tokens of ALBERT and FNet."""
    return _sentence_pieces(
        pad_id=0, unk_id=1, bos_id=2, eos_id=3, pad_piece="<pad>", unk_piece="<unk>",
        bos_piece="[CLS]", eos_piece="[SEP]", user_defined_symbols="[MASK]",
    )  # fmt: skip


def _albert(folder: Path) -> None:
    from keras_hub import models

    tokenizer = models.AlbertTokenizer(_albert_pieces())
    backbone = models.AlbertBackbone(
        vocabulary_size=tokenizer.vocabulary_size(), embedding_dim=8, num_groups=2, **_TRANSFORMER
    )
    _save_texts(backbone, tokenizer, folder, "AlbertTextClassifierPreprocessor")


def _f_net(folder: Path) -> None:
    from keras_hub import models

    tokenizer = models.FNetTokenizer(_albert_pieces())
    size = tokenizer.vocabulary_size()
    settings = {key: value for key, value in _TRANSFORMER.items() if key != "num_heads"}
    backbone = models.FNetBackbone(vocabulary_size=size, **settings)
    _save_texts(backbone, tokenizer, folder, "FNetTextClassifierPreprocessor")


def _gemma(folder: Path) -> None:
    from keras_hub import models

    proto = _sentence_pieces(
        pad_id=0, eos_id=1, bos_id=2, unk_id=3, pad_piece="<pad>", eos_piece="<eos>",
        bos_piece="<bos>", unk_piece="<unk>",
        user_defined_symbols="<start_of_turn>,<end_of_turn>",
    )  # fmt: skip
    tokenizer = models.GemmaTokenizer(proto)
    backbone = models.GemmaBackbone(
        vocabulary_size=tokenizer.vocabulary_size(), num_layers=2, num_query_heads=2,
        num_key_value_heads=1, hidden_dim=16, intermediate_dim=32, head_dim=8,
    )  # fmt: skip
    _save_texts(backbone, tokenizer, folder, "GemmaCausalLMPreprocessor")


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
    "llama": _llama,
    "gemma": _gemma,
    "t5": _t5,
    "f_net": _f_net,
}
