"""Evaluation on examples that a run was trained on."""

import csv

import pytest

import kerasft
from kerasft.recipes import minilm_tickets


@pytest.fixture(scope="module")
def run(preset, reviews, tmp_path_factory):
    config = minilm_tickets.Config(
        preset=preset("bert"), dataset=reviews, sequence_length=8, trainable_blocks=0,
        head_epochs=0, epochs=1,
    )  # fmt: skip
    runs = tmp_path_factory.mktemp("runs")
    return kerasft.fit(minilm_tickets, config, runs_dir=runs, progress=False)


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(path, chosen):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["text", "label"])
        writer.writeheader()
        writer.writerows(chosen)
    return str(path)


def test_rows_of_the_training_split_are_counted(run, reviews):
    counts = run.manifest["data"]["examples"]
    metrics = kerasft.evaluate(run, dataset=reviews)
    assert metrics["examples"] == sum(counts.values())
    assert metrics["seen"] == {name: counts[name] for name in ("train", "validation")}


def test_new_rows_are_not_counted_and_the_own_test_split_is_not_asked(run, tmp_path):
    new = [{"text": f"film number {n}", "label": "good"} for n in range(4)]
    metrics = kerasft.evaluate(run, dataset=write(tmp_path / "new.csv", new))
    assert metrics["seen"] == {"train": 0, "validation": 0}
    assert "seen" not in kerasft.evaluate(run)


def test_whitespace_around_a_text_makes_no_new_example(run, reviews, tmp_path):
    padded = [{**row, "text": f"  {row['text']} "} for row in rows(reviews)]
    metrics = kerasft.evaluate(run, dataset=write(tmp_path / "padded.csv", padded))
    assert metrics["seen"] == kerasft.evaluate(run, dataset=reviews)["seen"]


def test_a_run_without_fingerprints_is_evaluated_without_a_count(run, reviews):
    file = run.path / "fingerprints.npz"
    content = file.read_bytes()
    file.unlink()
    try:
        assert "seen" not in kerasft.evaluate(run, dataset=reviews)
    finally:
        file.write_bytes(content)
