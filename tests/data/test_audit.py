"""Notes about the data, and the summary."""

import pytest

from kerasft.config import ImageConfig, TextConfig
from kerasft.data import Examples, load_data, prepare_data, summarize


@pytest.fixture
def prepared(preset):
    def prepare(parts, **settings):
        examples = {
            name: Examples(
                [text for text, _ in rows], [label for _, label in rows],
                [f"{name} {i}" for i in range(len(rows))],
            )
            for name, rows in parts.items()
        }  # fmt: skip
        return prepare_data(TextConfig(preset=preset("bert"), **settings), examples)

    return prepare


def many(name, count, classes="ab"):
    return [(f"{name} {i}", classes[i % len(classes)]) for i in range(count)]


def notes(data, word):
    return [note for note in data.notes if word in note]


def test_clean_data_have_no_notes(prepared):
    data = prepared({n: many(n, 200) for n in ("train", "validation", "test")})
    assert data.notes == ()


def test_splits_made_from_training_examples_have_a_note(prepared):
    data = prepared({"train": many("train", 400), "test": many("test", 200)}, seed=4)
    assert data.notes == (
        "Split off the training set: 60 validation (stratified by class, seed 4).",
    )


def test_duplicates_across_given_splits_have_a_note(prepared):
    parts = {n: many(n, 200) for n in ("train", "validation", "test")}
    parts["test"][3] = parts["train"][7]
    parts["test"][4] = parts["train"][8]
    data = prepared(parts)
    assert data.notes == (
        "2 examples of the test split are also in the train split and may inflate "
        "scores, for example test 3 = train 7.",
    )


def test_equal_inputs_with_different_labels_have_a_note(prepared):
    parts = {n: many(n, 200) for n in ("train", "validation", "test")}
    parts["train"][1] = (parts["train"][0][0], "b")
    assert notes(prepared(parts), "conflicting labels") == [
        "1 input has conflicting labels, for example train 0 (a) and train 1 (b)."
    ]


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("Cat", "cat"), "'Cat', 'cat'"),
        (("new york", "new  york"), "'new  york', 'new york'"),
        (("caf\u00e9", "cafe\u0301"), r"'cafe\u0301', 'caf\xe9'"),
        (("cat", "cat\u200b"), r"'cat', 'cat\u200b'"),
    ],
)
def test_classes_that_look_alike_have_a_note(prepared, names, shown):
    data = prepared({n: many(n, 200, (*names, "dog")) for n in ("train", "validation", "test")})
    (note,) = data.notes
    assert note.startswith(f"Classes {shown} differ only in case")


@pytest.fixture
def imbalanced():
    parts = {n: many(n, 200) for n in ("train", "validation", "test")}
    parts["train"] += [(f"more {i}", "a") for i in range(1000)]
    return parts


def test_imbalance_has_a_note(prepared, imbalanced):
    (note,) = notes(prepared(imbalanced), "imbalanced")
    assert "'a' has 1,100 training examples, 'b' 100" in note


@pytest.mark.parametrize(
    ("more", "task", "found"),
    [
        (420, "classification", [("note", {"class_weight": "balanced"})]),
        (300, "classification", []),
        (420, "multilabel", []),
    ],
)
def test_less_imbalance_is_noted_where_each_example_has_one_class(prepared, more, task, found):
    parts = {n: many(n, 280) for n in ("train", "validation", "test")}
    parts["train"] += [(f"more {i}", "a") for i in range(more + 1)]
    if task == "multilabel":
        parts = {n: [(text, (a,)) for text, a in rows] for n, rows in parts.items()}
    findings = prepared(parts, task=task).findings
    assert [(f.level, f.changes) for f in findings if f.name == "imbalanced"] == found
    if found:
        again = prepared(parts, task=task, class_weight="balanced").findings
        assert not [finding for finding in again if finding.name == "imbalanced"]


@pytest.mark.parametrize(
    ("settings", "level", "changes"),
    [
        ({}, "warning", {"class_weight": "balanced"}),
        ({"task": "multilabel"}, "warning", {"loss": "focal"}),
        ({"class_weight": "balanced"}, "note", {}),
        ({"loss": "focal"}, "warning", {"class_weight": "balanced"}),
        ({"task": "multilabel", "loss": "focal"}, "note", {}),
    ],
)
def test_imbalance_names_a_setting_that_is_possible_and_new(
    prepared, imbalanced, settings, level, changes
):
    if settings.get("task") == "multilabel":
        imbalanced = {n: [(text, (a,)) for text, a in rows] for n, rows in imbalanced.items()}
    findings = prepared(imbalanced, **settings).findings
    (finding,) = (found for found in findings if found.name == "imbalanced")
    assert (finding.level, finding.changes) == (level, changes)
    assert ("try " in finding.text) == bool(changes)
    assert finding.changes or finding.advice == "Add examples of 'b'."


def test_few_texts_per_class_have_a_note(prepared):
    parts = {"train": many("train", 20), "validation": many("v", 200), "test": many("test", 200)}
    (note,) = notes(prepared(parts, trainable_blocks=4), "per class")
    assert "10 texts per class" in note
    assert "--head-start auto --feature-norm auto --head-epochs 1" in note
    (short,) = notes(prepared(parts, trainable_blocks=4, feature_norm="rms"), "per class")
    assert "--trainable-blocks 1 --epochs 8" in short and "--head-start" not in short
    assert notes(prepared(parts, trainable_blocks=1), "per class") == []
    assert notes(prepared({**parts, "train": many("train", 40)}), "per class") == []


def test_whole_numbers_above_0_suggest_an_ordinal_task(prepared):
    sizes = ("train", "validation", "test")
    stars, places, words = (
        prepared({n: many(n, 200, classes) for n in sizes}) for classes in ("12345", "01234", "abc")
    )
    assert notes(stars, "ordinal") == [
        "Labels are whole numbers (1 to 5), treated as 5 classes; if they are ordinal (stars, "
        "grades), try --task ordinal."
    ]
    assert notes(places, "ordinal") == notes(words, "ordinal") == []


def test_classes_missing_in_a_split_have_a_note(prepared):
    parts = {n: many(n, 200) for n in ("train", "validation", "test")}
    parts["test"] = many("test", 200, "a")
    assert prepared(parts).notes == ("1 class has no example in the test split: 'b'.",)


def test_a_small_test_split_has_a_note(prepared):
    parts = {n: many(n, 200) for n in ("train", "validation", "test")}
    parts["test"] = parts["test"][:50]
    (note,) = prepared(parts).notes
    assert "only 50 examples" in note
    assert "interval of ±8 points" in note


def test_truncated_texts_have_a_note(prepared):
    parts = {n: many(n, 200) for n in ("train", "validation", "test")}
    parts["train"][:3] = [(f"cat {i} " + "cat " * 20, "a") for i in range(3)]
    data = prepared(parts, sequence_length=16)
    assert "3 of 600 texts (0.5%) were truncated to 16 tokens (sequence_length)." in data.notes


def test_summary_shows_sizes_classes_and_notes(pets):
    text = summarize(load_data(ImageConfig(dataset=str(pets), image_size=8)))
    assert text.splitlines()[:4] == [
        "train 14  validation 3  test 3",
        "2 classes",
        "class       train  validation        test",
        "cat             7           1           2",
    ]
    assert "- Split off the training set: 3 validation, 3 test" in text


def test_summary_of_regression_shows_the_target(prepared):
    parts = {"train": [(f"text {i}", float(i % 2)) for i in range(40)]}
    text = summarize(prepared(parts, task="regression"))
    assert "target  mean 0." in text
