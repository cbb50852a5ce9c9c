"""Evaluation on other data: what their columns are called."""

import pytest

import kerasft
from kerasft.errors import DataError
from kerasft.recipes import minilm_urgency


@pytest.fixture(scope="module")
def run(preset, tmp_path_factory):
    """A fit of the recipe's own data, whose label column is `urgency`."""
    config = minilm_urgency.Config(
        preset=preset("bert"), sequence_length=8, batch_size=64, trainable_blocks=0,
        head_epochs=0, epochs=1, monitor="val_loss",
    )  # fmt: skip
    runs = tmp_path_factory.mktemp("runs")
    return kerasft.fit(minilm_urgency, config, runs_dir=runs, progress=False)


def test_a_column_of_the_recipes_own_data_is_not_asked_of_other_data(run, tmp_path):
    rows = [(f"where is order {number}?", number) for number in range(8)]

    def scores(label, name="other.csv", **given):
        path = tmp_path / name
        path.write_text("\n".join([f"text,{label}", *(f"{text},{y}" for text, y in rows)]))
        return kerasft.evaluate(run, dataset=str(path), **given)

    assert scores("label") == scores("urgency")
    assert scores("stars", columns={"label_column": "stars"}) == scores("label")
    with pytest.raises(DataError, match="Column 'urgency' not found"):
        scores("label", columns={"label_column": "urgency"})
