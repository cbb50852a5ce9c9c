"""Proofs of exports compare graphs with the layers of Keras, as exports have them."""

from pathlib import Path

import keras
import pytest

import kerasft
from kerasft.models.fast_layers import batch_norm

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of TensorFlow")


@pytest.fixture
def found(monkeypatch):
    """Collects whether normalizations were called in graphs that fold them."""
    calls, asked = [], batch_norm.in_own_graph
    monkeypatch.setattr(batch_norm, "in_own_graph", lambda: calls.append(asked()) or calls[-1])
    return calls


def test_exports_and_their_proofs_are_not_folded(image_run, tmp_path, found):
    kerasft.export(image_run, models_dir=tmp_path, name="m")
    assert found
    assert not any(found)


def test_evaluations_and_predictions_are_not_folded(image_run, photos, found):
    kerasft.evaluate(image_run)
    kerasft.predict(image_run, [str(next(Path(photos).rglob("*.png")))])
    assert found
    assert not any(found)


def test_outputs_within_a_fit_are_folded(image_run, found):
    loaded = kerasft.load_model(image_run)
    data = kerasft.load_data(loaded.config)
    kerasft.evaluation.predict_arrays(loaded.model, data.test.x)
    assert any(found)
