"""Predictions of searches: given, measured and timed costs."""

import pytest

import kerasft
from kerasft.errors import SettingError
from kerasft.planning.search_plan import SCHEDULING_SECONDS
from kerasft.tuning.journal import Journal, begin_journal

HEADER = {
    "format": 2, "recipe": {"name": "resnet_digits"}, "config": {"head_epochs": 1}, "given": {},
    "executions": 2, "space": [], "objective": {"name": "val_accuracy", "direction": "max"},
    "tuner": "hyperband", "validation_examples": 270,
}  # fmt: skip


def test_given_costs_need_no_data():
    plan = kerasft.plan_search(
        "resnet_digits", dataset="nowhere/", workers=100, trials=1000, trial_seconds=60
    )
    assert plan.source == "of the given time of a trial"
    assert (plan.trials, plan.worthwhile) == (1000, 100)
    assert [scale.workers for scale in plan.scales] == [1, 2, 4, 8, 16, 32, 64, 100]
    assert plan.scales[0].seconds == pytest.approx(1000 * (60 + SCHEDULING_SECONDS))
    assert plan.scales[-1].seconds == pytest.approx(600, rel=0.02)


def test_the_last_rungs_of_hyperband_leave_workers_idle():
    plan = kerasft.plan_search(
        "resnet_digits", workers=100, tuner="hyperband", max_epochs=27, trial_seconds=600
    )
    assert plan.trials < 100
    assert plan.worthwhile < 100
    assert plan.scales[-1].utilization < 0.5 < plan.scales[1].utilization


@pytest.fixture
def finished(tmp_path):
    """The folder of a search with Hyperband: a trial, one that continues it, and a failed one."""
    begin_journal(tmp_path, HEADER)
    journal = Journal(tmp_path)
    trials = [
        (2, None, {"state": "completed", "score": 0.5, "seconds": 6.0}),
        (6, 0, {"state": "completed", "score": 0.6, "seconds": 20.0}),
        (2, None, {"state": "failed", "reason": "out of memory", "seconds": 1.0}),
    ]
    for number, (epochs, continues, outcome) in enumerate(trials):
        values = {"trial": number, "epochs": epochs, "continues": continues}
        journal.write("trial", key=f"{number}", values={}, **values)
        journal.write("end", trial=number, **outcome)
    journal.close()
    return tmp_path


def test_a_search_is_found_by_its_name(finished, tmp_path, monkeypatch):
    folder = tmp_path / "searches/resnet_digits/first"
    folder.mkdir(parents=True)
    (finished / "journal.jsonl").rename(folder / "journal.jsonl")
    monkeypatch.chdir(tmp_path)
    plan = kerasft.plan_search("resnet_digits", workers=2, trials=5, measured="first")
    assert plan.source == "2 trials of searches/resnet_digits/first"


def test_trials_of_a_search_are_divided_by_the_epochs_that_they_trained(finished):
    plan = kerasft.plan_search("resnet_digits", workers=2, trials=5, measured=finished)
    assert plan.source == f"2 trials of {finished}"
    assert plan.costs.seconds_per_epoch == (6 / (2 + 1), 20 / (6 - 2))


def test_trials_of_other_numbers_of_trainings_take_as_many_times_as_long(finished):
    def costs(**options):
        plan = kerasft.plan_search("resnet_digits", workers=2, measured=finished, **options)
        return plan.costs.seconds_per_epoch

    assert costs() == costs(executions=2) == (2, 5)
    assert costs(executions=1) == (1, 2.5)


def test_trials_of_another_recipe_are_refused(finished):
    with pytest.raises(SettingError, match="is a search of resnet_digits, not of minilm_tickets"):
        kerasft.plan_search("minilm_tickets", workers=2, measured=finished)


def test_what_the_trials_had_otherwise_is_noted(tmp_path, capsys):
    recipe, before = HEADER["recipe"] | {"sha256": "0"}, {"image_size": 16, "batch_size": 8}
    config, space = HEADER["config"] | before | {"dropout": 0.1}, [{"name": "batch_size"}]
    begin_journal(tmp_path, {**HEADER, "recipe": recipe, "config": config, "space": space})
    with pytest.raises(SettingError, match="has no completed trial"):
        kerasft.plan_search(
            "resnet_digits", workers=2, measured=tmp_path, image_size=24, batch_size=64, dropout=0.5
        )
    note = "differ in dropout, head_epochs, image_size, the recipe's file: their times are used"
    assert note in capsys.readouterr().err


def test_a_search_without_a_completed_trial_is_refused(tmp_path):
    begin_journal(tmp_path, HEADER)
    with pytest.raises(SettingError, match="has no completed trial"):
        kerasft.plan_search("resnet_digits", workers=2, measured=tmp_path)


@pytest.mark.slow
def test_costs_are_timed_without_others(preset, photos):
    plan = kerasft.plan_search(
        "resnet_digits", workers=2, trials=4, dataset=photos, preset=preset("resnet"), epochs=2,
        image_size=16, batch_size=8, head_epochs=0, trainable_blocks=0, augmentation="none",
        progress=False,
    )  # fmt: skip
    assert plan.source == "steps timed here"
    assert plan.costs.start > 0
    assert plan.scales[0].seconds > plan.scales[1].seconds > plan.costs.start


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tuner": "grid"}, "handed out like those of `random`"),
        ({"workers": 0}, "`workers` must be at least 1"),
        ({"trial_seconds": 0}, "`trial_seconds` must be above 0"),
        ({"trial_seconds": 1.0, "measured": "x"}, "cannot be combined"),
        ({"trial_seconds": 1.0, "executions": 2}, "`executions` and `trial_seconds` cannot be"),
        ({"executions": 0}, "`executions` must be at least 1"),
        ({"measured": "nowhere"}, "nowhere"),
    ],
)
def test_wrong_options_are_one_sentence(options, words):
    with pytest.raises(SettingError, match=words):
        kerasft.plan_search("resnet_digits", **{"workers": 2, **options})
