"""Batches trimmed to their longest text train as with full padding."""

import keras
import numpy as np
import pytest

import kerasft
from kerasft.data import Batches, stream, text_lengths
from kerasft.models.blocks import flatten_layers
from kerasft.recipes import minilm_tickets
from kerasft.training.phases import compile_model


class Padded(Batches):
    """The same batches in the same order, as long as the longest text of all."""

    def _width(self, chosen):
        return self.x["padding_mask"].shape[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "family",
    ["bert", "distil_bert", "roberta"],
)
def test_weights_and_losses_are_those_of_full_padding(preset, reviews, family):
    config = minilm_tickets.Config(
        preset=preset(family), dataset=reviews, sequence_length=24, trainable_blocks=-1,
        dropout=0.0, batch_size=8, epochs=1, learning_rate=1e-3,
    )  # fmt: skip
    data = kerasft.load_data(config)
    assert len(np.unique(text_lengths(data.train.x))) > 2
    found = []
    for kind in (Batches, Padded):
        keras.utils.set_random_seed(0)
        model = minilm_tickets.build_model(config, data)
        for layer in flatten_layers(model):
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0.0
        compile_model(model, config, data)
        batches = kind(data.train.x, data.train.y, batch_size=8, shuffle=True)
        history = model.fit(stream(batches), epochs=1, shuffle=False, verbose=0)
        found.append(([v.numpy() for v in model.weights], history.history["loss"]))
        assert {x["padding_mask"].shape[1] for x, _ in map(batches.batch, range(len(batches)))} == (
            {data.train.x["padding_mask"].shape[1]}
            if kind is Padded
            else set(map(batches.width, range(len(batches))))
        )
    (weights, loss), (padded, padded_loss) = found
    assert loss == pytest.approx(padded_loss, rel=1e-5)
    for one, other in zip(weights, padded, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5)
