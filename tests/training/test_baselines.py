"""Baselines: the simplest step that no later one beats by more than noise."""

import math

import pytest

import kerasft
from kerasft.recipes import resnet_digits
from kerasft.tasks import compared_metric, task_of


@pytest.mark.parametrize(
    ("task", "monitor"),
    [
        ("classification", "val_f1"),
        pytest.param("classification", None, marks=pytest.mark.slow),
        pytest.param("regression", None, marks=pytest.mark.slow),
    ],
)
def test_a_step_within_noise_is_no_improvement(task, monitor, preset, photos, prices, tmp_path):
    config = resnet_digits.Config(
        preset=preset("resnet"), dataset=photos if task == "classification" else prices,
        image_size=16, epochs=2, head_epochs=1, task=task, monitor=monitor,
    )  # fmt: skip
    steps = kerasft.compare_baselines(resnet_digits, config, runs_dir=tmp_path, progress=False)
    best = steps[0]
    assert best.run is None and best.improved
    assert {step.metric for step in steps} == {compared_metric(task_of(task), monitor)}
    for step in steps[1:]:
        gain = step.score - best.score if task == "classification" else best.score - step.score
        assert step.variance > 0
        assert step.score == step.run.metrics["validation"][step.metric]
        assert step.improved == (gain > 2 * math.sqrt(step.variance + best.variance))
        words = "above noise" if step.improved else "within noise" if gain > 0 else "no gain"
        assert words in step.verdict
        best = step if step.improved else best
    assert [step.name for step in steps if step.chosen] == [best.name]


@pytest.mark.parametrize(("examples", "improved"), [(30, False), (3000, True)])
def test_the_same_gain_is_noise_on_few_examples(examples, improved):
    from kerasft.tasks.intervals import binomial_variance

    noise = 2 * math.sqrt(binomial_variance(0.87, examples) + binomial_variance(0.90, examples))
    assert (noise < 0.03) == improved
