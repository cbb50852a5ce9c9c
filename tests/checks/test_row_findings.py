"""A planted fault in a table of texts or numbers has one finding, clean rows have none."""

import pytest

from kerasft.data.examples import SPLITS
from tests.checks.conftest import texts


def test_clean_texts_have_no_findings(check_rows):
    assert check_rows(texts()) == {}


def changed(rows, *new):
    return [*rows, *new]


@pytest.mark.parametrize(
    ("new", "name", "level", "word"),
    [
        (("TRAIN message,  number 0 about cat!", "cat", "test"),
         "near_duplicates_in_splits", "warning", "row 49 of rows.csv ~ row 1 of rows.csv"),
        (("Train message number 0 about cat.", "dog", "train"),
         "near_conflicts", "warning", "row 1 of rows.csv (cat) and row 49 of rows.csv (dog)"),
        (("train message number 0 about cat", "cat", "test"),
         "duplicates", "warning", "row 49 of rows.csv = row 1 of rows.csv"),
        (("train message number 0 about cat ", "cat", "train"), "repeated", "note", "row 49"),
        (("Train message number 0 about cat.", "cat", "train"), "near_duplicates", "note", "~"),
    ],
)  # fmt: skip
def test_a_fault_has_its_finding(check_rows, new, name, level, word):
    found = check_rows(changed(texts(), new))
    assert set(found) == {name}
    assert found[name].level == level
    assert word in found[name].text


def test_symbols_and_digits_make_texts_different(check_rows):
    new = [("C", "cat", "train"), ("C+", "dog", "train"), ("C \N{SNOWMAN}", "cat", "train"),
           ("...", "dog", "train"), ("?!", "cat", "train")]  # fmt: skip
    assert check_rows(changed(texts(), *new)) == {}


def test_truncated_texts_have_the_length_that_keeps_more(check_rows):
    rows = texts()
    assert check_rows(rows, sequence_length=64) == {}
    finding = check_rows(rows, sequence_length=8)["truncated"]
    assert (finding.level, finding.changes) == ("warning", {"sequence_length": 16})


def test_conflicts_of_most_inputs_are_an_error(check_rows):
    rows = [(f"message {n}", label, split) for split in ("train", "validation", "test")
            for n in range(8) for label in ("cat", "dog")]  # fmt: skip
    assert check_rows(rows)["conflicting_labels"].level == "error"


def test_targets_far_from_the_others_have_a_finding(check_rows):
    sizes = {"train": 30, "validation": 10, "test": 10}
    prices = [(f"{split} house {n}", 100 + n % 7, split) for split in sizes
              for n in range(sizes[split])]  # fmt: skip
    assert set(check_rows(prices, task="regression")) == set()
    finding = check_rows([*prices, ("palace", 9000, "train")], task="regression")["target_outliers"]
    assert (finding.level, finding.changes) == ("warning", {"target_transform": "log"})
    assert "(9000)" in finding.text


def test_targets_far_from_the_others_are_a_note_where_the_loss_is_robust(check_rows):
    prices = [(f"{split} house {n}", 100 + n % 7, split) for split in SPLITS for n in range(10)]
    rows = [*prices, ("palace", 9000, "train")]
    finding = check_rows(rows, task="regression", loss="huber")["target_outliers"]
    assert (finding.level, finding.changes) == ("note", {})
    assert finding.advice == "Correct them if they are wrong."
