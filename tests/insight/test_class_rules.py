"""Findings about single classes, on planted recalls and on runs with planted predictions."""

import dataclasses

import numpy as np
import pytest

from kerasft.insight.diagnosis import find
from kerasft.insight.rules import classes as rules
from tests.insight.made_facts import facts


def planted(*classes, confused=None, **settings):
    """Returns facts about classes given as (training examples, recall, validation examples)."""
    rows = [
        {"name": str(n), "recall": recall, "support": support}
        for n, (_, recall, support) in enumerate(classes)
    ]
    counts = {str(n): count for n, (count, _, _) in enumerate(classes)}
    validation = {"per_class": rows} | ({"confusion_matrix": confused} if confused else {})
    return facts(
        audit={"class_counts": counts}, metrics={"validation": validation},
        settings={**facts().settings, **settings},
    )  # fmt: skip


def imbalance(*classes, **settings):
    return rules.imbalance(planted(*classes, **settings))


def hard_class(*classes, **settings):
    return rules.hard_class(planted(*classes, **settings))


COMMON = [(440, 0.98, 60), (400, 0.8, 55), (390, 0.9, 55), (420, 0.95, 58)]


def test_rare_classes_with_a_low_recall_are_named():
    found = imbalance(*COMMON, (100, 0.375, 16), (92, 0.5, 16))
    assert found.fault
    assert found.evidence == (
        "2 of 6 classes have 92 to 100 training examples (lowest recall: '4', 38%); the largest "
        "class has 440. The validation recall is 44% (14 of 32 examples, 95% confidence interval "
        "28% to 61%), that of the other classes 91% (of 228)."
    )
    assert found.advice[0].changes == {"class_weight": "balanced", "monitor": "val_f1"}


@pytest.mark.parametrize("largest", [200, 440, 1000, 5000])
def test_a_class_of_40_rows_with_a_recall_of_038_is_named_at_any_ratio(largest):
    common = [(largest, recall, support) for _, recall, support in COMMON]
    found = imbalance(*common, (100, 0.375, 40))
    assert found.evidence.startswith("Class '4' has 100 training examples; the largest class has")
    assert "15 of 40 examples, 95% confidence interval 24% to 53%" in found.evidence


def test_rare_classes_that_have_weights_already_are_a_note_that_asks_for_examples():
    found = imbalance(*COMMON, (100, 0.2, 20), class_weight="balanced")
    assert not found.fault
    assert [advice.changes for advice in found.advice] == [{}]


def test_a_note_on_rare_classes_hides_no_fault():
    flat = {"rows": facts(loss=[1.49, 1.488, 1.49]).rows, "blocks": 4}
    weak = planted(*COMMON, (100, 0.2, 20), class_weight="balanced")
    names = [each.name for each in find(dataclasses.replace(weak, **flat)) if each.fault]
    assert names == ["underfitting"]


def test_one_rare_class_is_named_among_others_that_are_well():
    found = imbalance(*COMMON, (100, 0.375, 16), (92, 15 / 16, 16), (95, 1.0, 16))
    assert found.evidence.startswith("Class '4' has 100 training examples")


@pytest.mark.parametrize(
    "rare",
    [
        [(100, 0.875, 16), (92, 0.875, 16)],  # as good as the others
        [(100, 0.5, 2)],  # its interval of 9% to 91% overlaps that of the others
        [(100, 0.75, 8)],  # 41% to 93%
        [(300, 0.3, 40)],  # not rare
        [(100, 0.0, 0)],  # without validation examples
    ],
)
def test_rare_classes_that_are_not_surely_worse_are_not_named(rare):
    assert imbalance(*COMMON, *rare) is None


def test_a_difference_below_five_points_is_no_finding_however_sure():
    common = [(440, 0.98, 10_000)] * 4
    assert imbalance(*common, (100, 0.935, 10_000)) is None
    assert imbalance(*common, (100, 0.925, 10_000)) is not None


def test_rare_classes_as_good_as_the_others_are_seldom_named():
    draw = np.random.default_rng(0)
    named = 0
    for _ in range(60):
        sizes = [(200, 40)] * 10 + [(50, 10)] * 10
        drawn = [(n, draw.binomial(k, 0.9) / k, k) for n, k in sizes]
        named += imbalance(*drawn) is not None or hard_class(*drawn) is not None
    assert named <= 5


@pytest.mark.parametrize("train", [300, 440, 500])
def test_a_class_that_is_not_rare_has_a_note_without_weights(train):
    found = hard_class(*COMMON, (train, 0.3, 40))
    assert not found.fault
    assert "(12 of 40 examples, 95% confidence interval 18% to 45%)" in found.evidence
    assert not any(advice.changes for advice in found.advice)


def test_the_class_that_a_hard_class_is_predicted_as_is_named():
    matrix = [[57, 2, 1], [1, 58, 1], [5, 25, 30]]
    found = hard_class((400, 0.95, 60), (400, 58 / 60, 60), (400, 0.5, 60), confused=matrix)
    assert found.evidence.startswith("Class '2': The validation recall is 50%")
    assert found.evidence.endswith("25 are predicted as '1'.")


@pytest.mark.parametrize(
    "last",
    [
        (100, 0.2, 40),  # a rare class has another finding
        (400, 0.75, 60),  # less than twenty points below the others
        (400, 0.5, 4),  # 15% to 85%
    ],
)
def test_a_class_without_a_clearly_lower_recall_has_no_note(last):
    assert hard_class(*COMMON, last) is None


def test_a_class_says_nothing_where_the_others_are_not_learned():
    low = [(400, 0.4, 60)] * 4
    assert hard_class(*low, (400, 0.0, 60)) is None


@pytest.mark.parametrize("task", ["regression", "multilabel"])
def test_tasks_without_one_class_per_example_have_no_such_finding(task):
    found = planted(*COMMON, (100, 0.2, 40), (400, 0.2, 40))
    other = dataclasses.replace(found, task=task)
    assert rules.imbalance(other) is None and rules.hard_class(other) is None
