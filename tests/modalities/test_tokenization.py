"""Texts become tokens once, in the graph."""

import numpy as np
import pytest

from kerasft.config import TextConfig
from kerasft.data import Examples, prepare_inputs
from kerasft.errors import DataError, SettingError
from kerasft.modalities.tokenization import count_truncated
from kerasft.presets.tokenizers import load_preprocessor

TEXTS = ["a good film", "the cat is not the dog and the dog is not the cat", "awful !"]
TEXT_FAMILIES = ["bert", "distil_bert", "roberta"]


def examples(inputs):
    return Examples(list(inputs), None, [f"row {i + 1}" for i in range(len(inputs))])


@pytest.fixture(params=TEXT_FAMILIES)
def config(request, preset):
    return TextConfig(preset=preset(request.param), sequence_length=64)


def test_tokens_are_those_of_the_preset(config):
    x = prepare_inputs(config, examples(TEXTS))
    expected = load_preprocessor(config)(TEXTS)
    assert set(x) == set(expected)
    for name, values in expected.items():
        values = np.asarray(values).astype("int32")
        width = x[name].shape[1]
        assert x[name].dtype == np.int32
        assert (x[name] == values[:, :width]).all()
    assert np.asarray(expected["padding_mask"])[:, width:].sum() == 0


@pytest.mark.parametrize("family", ["albert", "bert"])
def test_a_cached_tokenizer_survives_new_seeds(family, preset):
    import keras

    config = TextConfig(preset=preset(family), sequence_length=16)
    before = prepare_inputs(config, examples(TEXTS))["token_ids"]
    keras.utils.set_random_seed(1)
    np.testing.assert_array_equal(prepare_inputs(config, examples(TEXTS))["token_ids"], before)


def test_length_is_that_of_the_longest_text(preset):
    config = TextConfig(preset=preset("bert"))
    assert prepare_inputs(config, examples(["a cat"]))["token_ids"].shape == (1, 8)
    assert prepare_inputs(config, examples(["cat " * 15]))["token_ids"].shape == (1, 24)
    assert prepare_inputs(config, examples(["cat " * 500]))["token_ids"].shape == (1, 128)


def test_pairs_are_packed_together(preset):
    config = TextConfig(preset=preset("bert"), sequence_length=16)
    x = prepare_inputs(config, examples([("a cat", "the dog"), ("a", "b")]))
    expected = load_preprocessor(config)(x=(["a cat", "a"], ["the dog", "b"]))
    assert (x["token_ids"] == np.asarray(expected["token_ids"])).all()
    assert x["segment_ids"].max() == 1


def test_pairs_of_t5_each_have_an_end(preset):
    config = TextConfig(preset=preset("t5"), sequence_length=12)
    tokenizer = load_preprocessor(config).tokenizer
    end = [tokenizer.end_token_id]
    first, second = (np.asarray(tokenizer(text)).tolist() for text in ("a cat", "the dog"))
    x = prepare_inputs(config, examples([("a cat", "the dog"), ("a cat " * 20, "the dog")]))
    ids = [*first, *end, *second, *end]
    assert x["token_ids"][0, : len(ids)].tolist() == ids
    assert x["padding_mask"].sum(axis=1).tolist() == [len(ids), 12]
    assert x["token_ids"][1, -len(second) - 1 :].tolist() == [*second, *end]  # the longer is cut
    alone = prepare_inputs(config, examples(["a cat"]))
    assert alone["token_ids"][0, : len(first) + 1].tolist() == [*first, *end]


def test_more_texts_than_a_batch_keep_their_order(preset):
    config = TextConfig(preset=preset("bert"), sequence_length=16)
    texts = [" ".join(["cat"] * (1 + i % 5)) for i in range(600)]
    x = prepare_inputs(config, examples(texts))
    assert x["padding_mask"].sum(axis=1).tolist() == [3 + i % 5 for i in range(600)]


@pytest.mark.parametrize(("words", "cut"), [(5, 0), (6, 0), (7, 1), (50, 1)])
def test_truncated_texts_are_counted_exactly(preset, words, cut):
    config = TextConfig(preset=preset("bert"), sequence_length=8)  # two tokens are special
    part = examples(["a cat", "cat " * words])
    assert count_truncated(config, part, prepare_inputs(config, part)) == cut


@pytest.mark.parametrize(("signs", "cut"), [(8, 0), (9, 1)])
def test_truncated_pairs_are_counted_exactly(preset, signs, cut):
    config = TextConfig(preset=preset("bert"), sequence_length=12)  # three tokens are special
    part = examples([("a", "!" * signs)])
    assert count_truncated(config, part, prepare_inputs(config, part)) == cut


def test_the_preprocessor_is_loaded_once(preset):
    config = TextConfig(preset=preset("bert"))
    assert load_preprocessor(config) is load_preprocessor(TextConfig(preset=preset("bert")))


@pytest.mark.parametrize("wrong", [3, None, b"bytes", ("a", "b", "c"), ("a", 3)])
def test_what_is_no_text_is_named(preset, wrong):
    with pytest.raises(DataError, match="row 2 must be a text"):
        prepare_inputs(TextConfig(preset=preset("bert")), examples(["a", wrong]))


def test_half_a_character_is_named(preset):
    with pytest.raises(DataError, match=r"row 1 is not valid Unicode: .* at position 2"):
        prepare_inputs(TextConfig(preset=preset("bert")), examples(["ab\ud800"]))


def test_a_preset_of_images_has_no_tokenizer(preset):
    with pytest.raises(SettingError, match="must have a tokenizer"):
        load_preprocessor(TextConfig(preset=preset("resnet")))
