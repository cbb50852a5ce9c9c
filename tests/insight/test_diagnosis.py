"""Diagnosis: records of real fits with injected faults; none was used to choose a threshold."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

import kerasft
from kerasft.config import to_dict
from kerasft.errors import DataError
from kerasft.insight import diagnose, rules
from kerasft.insight.comparison import best_group, compare
from kerasft.insight.diagnosis import (
    RULES,
    clearly_wrong,
    command_with,
    find,
    valid_changes,
    why_unrecoverable,
)
from kerasft.recipes import resnet_digits
from kerasft.runs import read_json, write_manifest
from kerasft.runs.write import write_record
from kerasft.tasks.intervals import binomial_variance
from tests.insight.injected_faults import ALSO, changed, fit
from tests.insight.made_facts import facts
from tests.insight.record_faults import FITTED, SEED, SETTINGS, fit_fault, record_of


def injected(fault):
    """Return the recorded run of a fit with a fault."""
    return kerasft.load_run(record_of(fault))


def check_first_finding(run, fault):
    found = diagnose(run)
    name = fault.partition(" ")[0]
    assert not found["healthy"]
    assert found["findings"][0]["name"] in {name, *ALSO.get(name, ())}
    first = found["findings"][0]
    assert any(character.isdigit() for character in first["evidence"])
    assert first["advice"]


@pytest.mark.parametrize("fault", sorted(set(FITTED) - {"healthy"}))
def test_an_injected_fault_is_named_first(fault):
    check_first_finding(injected(fault), fault)


@pytest.mark.slow
@pytest.mark.parametrize("fault", sorted(set(FITTED) - {"healthy"}))
def test_a_new_fit_with_the_fault_has_it_named_first(fault, tmp_path):
    check_first_finding(fit_fault(fault, tmp_path), fault)


@pytest.mark.slow
def test_a_new_healthy_fit_has_no_findings_as_the_recorded_one(tmp_path):
    run = fit_fault("healthy", tmp_path)
    assert set(run.manifest) == set(injected("healthy").manifest)  # else record the faults anew
    assert diagnose(run)["healthy"]


def test_a_healthy_run_has_no_findings():
    assert diagnose(injected("healthy"))["healthy"]


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [1, 2])
def test_a_fit_that_barely_began_is_not_called_well(epochs, tmp_path):
    config = resnet_digits.Config(
        trainable_blocks=0,
        head_epochs=0,
        epochs=epochs,
        learning_rate=1e-6,
        seed=SEED,
        head_start="random",
    )
    run = kerasft.fit(resnet_digits, config, runs_dir=tmp_path, progress=False)
    found = diagnose(run)
    assert not found["healthy"]
    assert found["findings"][0]["name"] == "stopped_too_early"
    assert "constant baseline" in found["findings"][0]["evidence"]


def test_the_next_command_keeps_what_was_given():
    first = diagnose(injected("learning_rate_too_low"))["findings"][0]
    line = first["advice"][0]["command"]
    assert line.startswith("kerasft fit resnet_digits ")
    assert "--trainable-blocks 1" in line and "--epochs 6" in line and f"--seed {SEED}" in line
    assert "--learning-rate 0.001" in line  # the recipe's own


@pytest.mark.parametrize(("rate", "wanted"), [(1.0, 1e-3), (1e-3, 1e-4), (2e-3, 2e-4)])
def test_the_first_advice_goes_to_the_rate_of_the_recipe_where_that_is_further(rate, wanted):
    rows = [{"phase": "main", "epoch": n, "loss": 4.0 + n, "val_loss": 4.0 + n,
             "learning_rate": rate} for n in range(1, 4)]  # fmt: skip
    settings = {"learning_rate": rate}
    found = facts(rows=rows, settings=settings, defaults={"learning_rate": 1e-3})
    advice = rules.learning_rate.learning_rate_too_high(found).advice[0]
    assert advice.changes["learning_rate"] == wanted


def test_a_wrong_rate_of_the_head_phase_leaves_the_main_phase_as_it_is():
    head = curves([1.6, 2.1], [2.1, 1.6], phase="head")
    main = [{**row, "epoch": row["epoch"] + 2} for row in curves([0.6, 0.3, 0.2], [0.6, 0.4, 0.3])]
    found = facts(rows=[*head, *main])
    finding = rules.learning_rate.learning_rate_too_high(found)
    assert "(head phase, head_learning_rate 0.01)" in finding.evidence
    assert finding.advice[0].changes == {"head_learning_rate": 1e-3}
    wild = curves([1.6, 2.1, 3.0], [2.1, 1.6, 3.0])
    finding = rules.learning_rate.learning_rate_too_high(facts(rows=[*head, *wild]))
    assert set(finding.advice[0].changes) == {"learning_rate", "head_learning_rate"}


def test_a_diagnosis_is_fit_for_json():
    for fault in ("healthy", "overfitting"):
        found = diagnose(injected(fault))
        assert json.loads(json.dumps(found)) == found


def curves(loss, val, rates=(), phase="main", **more):
    """Returns the records of epochs with a training and a validation loss."""
    rates = rates or [1e-3] * len(loss)
    return [
        {"epoch": n, "phase": phase, "loss": a, "val_loss": b, "learning_rate": rate,
         "penalty": 0.0, "accuracy": 0.5, "val_accuracy": 0.5, **more}
        for n, (a, b, rate) in enumerate(zip(loss, val, rates, strict=True), 1)
    ]  # fmt: skip


def faults(found):
    return [finding.name for finding in find(found) if finding.fault]


@pytest.mark.parametrize(
    ("loss", "val"),
    [
        ([0.2], [0.9]), ([0.5], [0.4]), ([2.5], [2.2]),  # one epoch
        ([0.2, 0.01], [0.9, 1.4]),  # looks like overfitting
        ([0.6, 0.3], [0.70, 0.72]),  # like labels without a signal
        ([0.9, 0.7], [1.9, 1.5]),  # like a rate that is too high
        ([0.6, 0.5], [0.5, 0.49]),
    ],
)  # fmt: skip
def test_of_one_or_two_epochs_only_their_number_is_said(loss, val):
    found = facts(rows=curves(loss, val, accuracy=1.0))
    assert faults(found) == ["stopped_too_early"]
    assert "from 0.6931" not in find(found)[0].evidence  # a constant baseline is no epoch


def test_two_epochs_of_many_steps_are_no_fault_by_their_number():
    counts = {"train": 25_000, "validation": 5_000, "test": 5_000}
    assert faults(facts(rows=curves([0.35, 0.25], [0.28, 0.27]), counts=counts)) == []


def test_what_could_be_better_in_a_good_fit_is_a_note():
    good = facts(rows=curves([0.5, 0.2, 0.08, 0.05], [0.4, 0.15, 0.07, 0.05]))
    assert [finding.name for finding in find(good)] == ["stopped_too_early"]
    assert faults(good) == []
    # A score does not excuse copies of its examples in the training split.
    double = facts(rows=good.rows, audit={"duplicates": {"validation/train": 100}})
    assert faults(double) == ["leakage"]


def test_a_new_output_layer_that_begins_high_is_no_wrong_rate():
    rows = curves([2.5, 1.2, 0.6, 0.4, 0.38], [1.9, 0.9, 0.5, 0.4, 0.39])
    small, large = ({"train": n, "validation": 400, "test": 400} for n in (30, 3000))
    assert "learning_rate_too_high" not in faults(facts(rows=rows, counts=small))
    # After a head phase the output layer is not new, nor is it after hundreds of steps.
    head = [{**row, "phase": "head"} for row in curves([0.9], [0.6])]
    later = [{**row, "epoch": row["epoch"] + 1} for row in rows]
    assert "learning_rate_too_high" in faults(facts(rows=[*head, *later], counts=small))
    assert "learning_rate_too_high" in faults(facts(rows=rows, counts=large))


def test_a_loss_that_still_falls_fast_has_not_diverged():
    falling, rising = curves([9.0, 4.0], [9.0, 4.0]), curves([4.0, 9.0], [4.0, 9.0])
    assert faults(facts(rows=falling)) == ["stopped_too_early"]
    assert faults(facts(rows=rising)) == ["diverged"]
    assert faults(facts(rows=curves([9.0], [9.0]))) == ["stopped_too_early"]


COSINE = [8.3e-4, 9.3e-4, 7.3e-4, 4.4e-4, 1.8e-4, 2e-5]  # in the middle of six epochs


def test_a_curve_that_flattens_has_no_rate_that_is_too_low():
    val = [0.65, 0.50, 0.44, 0.42, 0.415, 0.412]
    assert "learning_rate_too_low" not in faults(facts(rows=curves(val, val, COSINE)))
    # The loss falls as far as the rate lets it.
    val = list(0.69 - 30 * np.cumsum(COSINE))
    first = find(facts(rows=curves(val, val, COSINE)))[0]
    assert first.name == "learning_rate_too_low"
    assert "straight" not in first.evidence


@pytest.mark.parametrize(
    ("losses", "rates", "named"),
    [
        ([3.0, 9.0], (1e-3, 1e-3), "diverged"),
        ([3.0], (1e-3,), None),  # one epoch
        ([3.0, 9.0], (5e-4, 1e-3), None),  # the warm-up ends in the second
        ([3.0, 9.0, 0.5], (1e-3, 1e-3, 1e-3), None),  # below a constant baseline again
        ([0.6, 1.9, 1.2, 1.4], (1e-3,) * 4, "learning_rate_too_high"),
        ([0.6, 0.5, 0.4], (1e-3,) * 3, None),
    ],
)
def test_a_warning_in_training_waits_and_says_what_a_diagnosis_says(losses, rates, named):
    found = facts(rows=curves(losses, losses, rates))
    warning = clearly_wrong(found)
    assert (warning and warning.name) == named
    assert warning is None or warning.name in faults(found)


def test_epochs_of_the_warm_up_are_not_unrecoverable():
    assert not why_unrecoverable(facts(rows=curves([5.0, 9.0], [5.0, 9.0], (5e-4, 1e-3))))
    assert not why_unrecoverable(facts(loss=[9.0, 4.0]))  # it falls fast


def test_the_loss_of_a_constant_answer_is_the_entropy_of_the_classes():
    assert facts().baseline_loss == pytest.approx(np.log(2))
    skewed = facts(audit={"class_counts": {"a": 90, "b": 10}})
    assert skewed.baseline_loss == pytest.approx(-0.9 * np.log(0.9) - 0.1 * np.log(0.1))
    assert facts(task="regression").baseline_loss == 1.0


def smoothed_facts(smoothing, losses):
    settings = {**to_dict(resnet_digits.Config()), "label_smoothing": smoothing}
    return facts(settings=settings, rows=curves(losses, losses))


def test_losses_of_smoothed_labels_are_judged_above_the_least_possible_one():
    least = -0.95 * np.log(0.95) - 0.05 * np.log(0.05)
    smooth = smoothed_facts(0.1, [0.5, 0.3, 0.23])
    assert smooth.least_loss == pytest.approx(least, rel=1e-4)
    assert smooth.baseline_loss == pytest.approx(np.log(2) - least, rel=1e-4)
    assert smooth.good
    assert not smoothed_facts(0.0, [0.5, 0.3, 0.23]).good
    np.testing.assert_allclose(smooth.curve("accuracy"), [row["accuracy"] for row in smooth.main])


def test_after_a_nan_the_rate_of_its_phase_is_lowered():
    reason = "The training loss became nan in epoch 1, at a learning rate of 0.5. Lower it first."
    rates = {"learning_rate": 1e-4, "head_learning_rate": 0.5}
    head = [{**row, "phase": "head"} for row in curves([0.9], [0.6])]
    for epochs, rows, name in ((2, [], "head_learning_rate"), (2, head, "head_learning_rate"),
                               (1, head, "learning_rate"), (0, [], "learning_rate")):  # fmt: skip
        settings = {**facts().settings, **rates, "head_epochs": epochs}
        ended = facts(rows=rows, failure="diverged", reason=reason, settings=settings)
        (finding,) = [found for found in find(ended) if found.name == "diverged"]
        assert f"became nan in epoch 1; {name} was {rates[name]:g}." in finding.evidence
        assert list(finding.advice[0].changes) == [name]
        assert finding.advice[0].changes[name] <= 0.01 * rates[name] * 1.001


def test_the_evidence_has_losses_as_they_are_recorded():
    smooth = smoothed_facts(0.1, [9.0, 9.0, 9.0])
    (finding,) = [found for found in find(smooth) if found.name == "diverged"]
    assert "ended at 9; a constant baseline has 0.6931" in finding.evidence
    assert "loss is 9, a constant baseline has 0.6931" in why_unrecoverable(smooth)


def test_a_start_and_a_loss_of_confidence_are_judged_above_the_least_possible_loss():
    smooth = smoothed_facts(0.1, [0.5, 0.3, 0.23])
    settings = {**smooth.settings, "trainable_blocks": 1}
    begun = dataclasses.replace(smooth, settings=settings, probe={"loss": 0.5})
    assert begun.start_loss == pytest.approx(0.5 - smooth.least_loss)
    head = [{**row, "phase": "head"} for row in smooth.rows]
    assert dataclasses.replace(smooth, rows=head).start_loss == pytest.approx(
        0.23 - smooth.least_loss
    )
    scores = {"log_loss": {"before": 0.4, "after": 0.2}}
    record = {"examples": 400, "scores": scores, "calibration": {"temperature": 2.0}}
    late = smoothed_facts(0.1, [0.5, 0.21, 0.23])  # 1.1 times the lowest, 2.7 times its excess
    sure = dataclasses.replace(late, calibration=record, best_epoch=3)
    finding = rules.confidence.overconfident(sure)
    assert "is 0.23 in epoch 3" in finding.evidence and "lowest is 0.21" in finding.evidence


def test_classes_without_counts_have_equal_shares():
    assert facts(audit={}, classes=50).baseline_loss == pytest.approx(np.log(50))


def test_the_interval_of_an_accuracy_is_that_of_wilson():
    from scipy.stats import binomtest

    interval = binomtest(360, 400).proportion_ci(method="wilson")
    half = (interval.high - interval.low) / 2
    assert facts().uncertainty(0.9) == pytest.approx(half)


def test_more_validation_examples_are_asked_for_in_a_way_that_can_be_followed():
    def too_small(train=100, share=0.15, part=None, **changes):
        counts = {"train": train, "validation": 30, "test": 30}
        settings = {**facts().settings, "validation_fraction": share, **(part or {})}
        return rules.data.validation_too_small(facts(counts=counts, settings=settings, **changes))

    made = {"class_counts": {"a": 50, "b": 50}, "made": ["validation", "test"]}
    more = too_small(audit=made).advice[0]
    assert more.changes == {"validation_fraction": 0.3}
    assert "a new baseline: scores of earlier runs are not comparable" in more.why
    given = too_small(audit={**made, "made": []}).advice[0]  # the data give the split
    assert given.changes == {} and given.why.startswith("Move training examples")
    for part, whole in (({"max_examples": 160}, 0), ({"fraction": 0.1}, 1.0)):
        assert too_small(part=part, audit=made).advice[0].changes == dict.fromkeys(part, whole)
    assert too_small(part={"max_examples": 200}, audit=made).advice == too_small(audit=made).advice
    for enough in ({"share": 0.3}, {"share": 0.4}, {"train": 19}, {"train": 19, "share": 0.2}):
        last = too_small(audit=made, **enough).advice
        assert [advice.changes for advice in last] == [{}, {}]
        assert "Add labeled examples" in last[0].why and "--seeds 3" in last[1].why
    ended = too_small(audit=made, metrics={"validation": {"accuracy": 0.8}})
    assert "of accuracy 0.8 is" in ended.evidence  # of the best epoch, which can be the start
    evidence = too_small(audit={"made": ["validation"]}, task="regression").evidence
    assert evidence == (
        "It has 30 examples: the 95% confidence interval of the RMSE is ±25%. Differences of less "
        "than 36% between two runs are within noise."
    )


@pytest.mark.parametrize(
    ("blocks", "head_start", "penalty"),
    [(1, "linear", None), (1, "random", None), (0, "linear", None), (0, "random", 0.1)],
)
def test_few_examples_get_a_penalty_from_a_random_start_alone(blocks, head_start, penalty):
    settings = {**facts().settings, "trainable_blocks": blocks, "head_start": head_start}
    rows = curves([0.6, 0.2, 0.05], [0.6, 0.55, 0.6], accuracy=0.99)
    counts = {"train": 16, "validation": 400, "test": 400}
    advice = rules.generalization.overfitting(
        facts(settings=settings, rows=rows, counts=counts)
    ).advice
    assert advice[0].changes.get("kernel_l2") in ((penalty,) if penalty else (None, 1e-3))
    probes = [each.changes for each in advice if "trainable_blocks" in each.changes]
    assert len(probes) == (blocks == 1)
    assert all("kernel_l2" not in changes for changes in probes)


def test_a_fit_of_two_epochs_has_the_note_on_a_small_validation_split():
    rows = curves([0.6, 0.5], [0.65, 0.55], val_accuracy=0.7)
    found = find(facts(rows=rows, counts={"train": 200, "validation": 40, "test": 40}))
    assert [finding.name for finding in found] == ["stopped_too_early", "validation_too_small"]


def test_the_noise_of_a_small_validation_split_is_that_of_a_comparison():
    finding = rules.data.validation_too_small(
        facts(counts={"train": 100, "validation": 7, "test": 7},
              rows=curves([0.5] * 3, [0.5] * 3, val_accuracy=1.0))
    )  # fmt: skip
    noise = 2 * np.sqrt(2 * binomial_variance(1.0, 7))
    assert finding.evidence == (
        "It has 7 examples: the 95% confidence interval of accuracy 1 is 0.65 to 1.00. "
        f"Differences of less than {noise:.2f} between two runs are within noise."
    )


@pytest.mark.parametrize("blocks", [0, 1])
@pytest.mark.parametrize("rule", ["learning_rate_too_low", "learning_rate_too_high"])
def test_a_linear_probe_gets_one_phase_and_one_rate(rule, blocks):
    losses = {"learning_rate_too_low": ([2.3, 2.25, 2.2], [2.15, 2.1, 2.05, 2.0, 1.95]),
              "learning_rate_too_high": ([3.0, 9.0, 8.0], [3.0, 9.0, 8.0, 9.5, 8.5])}  # fmt: skip
    head, main = losses[rule]
    rows = [*curves(head, head, phase="head"), *curves(main, main)]
    rows = [{**row, "epoch": number} for number, row in enumerate(rows, 1)]
    config = resnet_digits.Config(trainable_blocks=blocks, head_epochs=2)
    audit = {"class_counts": {str(n): 10 for n in range(10)}}
    found = facts(rows=rows, settings=to_dict(config), defaults=to_dict(resnet_digits.Config()),
                  audit=audit)  # fmt: skip
    changes = getattr(rules.learning_rate, rule)(found).advice[0].changes
    if blocks:
        assert set(changes) == {"learning_rate", "head_learning_rate"}
        return
    assert changes["head_epochs"] == 0 and set(changes) == {"learning_rate", "head_epochs"}
    if rule == "learning_rate_too_low":  # as the note of the fit says
        assert f"--head-epochs 0 --learning-rate {changes['learning_rate']}" in config.notes()[0]
    assert dataclasses.replace(config, **changes).notes() == []


# Validation losses of fits of 300 photographs: the end of the head phase, then the main phase with
# a rate of 1e-4, and with 1e-3, whose accuracy was higher.
BEFORE = [1.294, 1.254]
LOW = [1.29, 1.3, 1.254, 1.242, 1.254, 1.25, 1.245, 1.242]
HIGH = [1.823, 1.663, 1.31, 1.225, 1.345, 1.223, 1.171, 1.155]


@pytest.mark.parametrize(
    ("losses", "changes", "named"),
    [
        (LOW, {}, True),
        (HIGH, {}, False),
        (LOW, {"probe": {}}, False),  # a head that began at random may end where it likes
        ([0.85 * loss for loss in LOW], {}, False),  # it has fallen
        (LOW[:2], {}, False),
    ],
)
def test_blocks_that_hardly_change_after_a_linear_probe_need_a_higher_rate(losses, changes, named):
    rows = [*curves([0.6, 0.5], BEFORE, phase="head"), *curves([0.5] * len(losses), losses)]
    rows = [{**row, "epoch": number} for number, row in enumerate(rows, 1)]
    settings = to_dict(resnet_digits.Config(trainable_blocks=1, learning_rate=1e-4))
    audit = {"class_counts": {str(n): 30 for n in range(10)}}
    usual = {"rows": rows, "settings": settings, "probe": {"accuracy": 0.6}, "audit": audit}
    found = facts(**usual | changes)
    finding = rules.learning_rate.learning_rate_too_low(found)
    assert (finding is not None) == named
    if finding is not None:
        assert finding.advice[0].changes == {"learning_rate": 3e-4}
        lower = dataclasses.replace(found, settings={**settings, "learning_rate": 3e-5})
        advice = rules.learning_rate.learning_rate_too_low(lower).advice[0]
        assert advice.changes == {"learning_rate": 9e-5}  # the default, 1e-3, may be too high
        assert "1.254" in finding.evidence and "1.242" in finding.evidence
        assert "overfitting" in finding.causes
    frozen = dataclasses.replace(found, settings={**settings, "trainable_blocks": 0})
    assert rules.learning_rate.learning_rate_too_low(frozen) is None


@pytest.mark.parametrize(
    ("losses", "rule"),
    [(LOW, "learning_rate_too_low"), ([2.6, 2.4, 2.2, 2.1], "learning_rate_too_high")],
)
def test_without_a_head_phase_the_loss_of_the_probe_is_the_one_before(losses, rule):
    rows = curves([0.5] * len(losses), losses)
    settings = to_dict(resnet_digits.Config(trainable_blocks=1, learning_rate=1e-4, head_epochs=0))
    audit = {"class_counts": {str(n): 30 for n in range(10)}}
    usual = {"rows": rows, "settings": settings, "audit": audit}
    found = facts(**usual, probe={"accuracy": 0.6, "loss": 1.254})
    assert (
        "probe at the start had a validation loss of 1.254"
        in getattr(rules.learning_rate, rule)(found).evidence
    )
    assert getattr(rules.learning_rate, rule)(facts(**usual)) is None


@pytest.mark.parametrize(("blocks", "expected"), [(1, 3e-4), (0, 1e-2)])
def test_the_advice_on_a_rate_goes_to_the_recipes_own_for_what_trains(blocks, expected):
    settings = {**facts().settings, "trainable_blocks": blocks, "learning_rate": 2.0}
    usual = {"learning_rate": 3e-4, "head_learning_rate": 1e-2}
    run = facts(loss=[3.0, 9.0, 80.0], settings=settings, defaults=usual)
    (finding,) = (f for f in find(run) if f.name in ("diverged", "learning_rate_too_high"))
    assert finding.advice[0].changes["learning_rate"] == expected


@pytest.mark.parametrize(
    ("settings", "changes", "expected"),
    [
        ({"lora_rank": 4}, {"trainable_blocks": 0}, {"trainable_blocks": 0, "lora_rank": 0}),
        ({"lora_rank": 4}, {"dropout": 0.5}, {"dropout": 0.5}),
        ({"mixup": 0.2}, {"class_weight": "balanced"}, {"class_weight": "balanced", "mixup": 0.0}),
        ({"cutmix": 1.0}, {"class_weight": "balanced"},
         {"class_weight": "balanced", "cutmix": 0.0}),
        ({"unfreeze_every": 4, "trainable_blocks": 1, "epochs": 5}, {"trainable_blocks": -1},
         {"trainable_blocks": -1, "epochs": 9}),
        ({"unfreeze_every": 4, "trainable_blocks": 1, "epochs": 5}, {}, {}),
    ],
)  # fmt: skip
def test_what_is_advised_is_what_the_settings_allow(settings, changes, expected):
    whole = {**to_dict(resnet_digits.Config()), **settings}
    allowed = valid_changes(facts(settings=whole, blocks=3), changes)
    assert allowed == expected
    resnet_digits.Config(**{**whole, **allowed})


def test_more_blocks_are_not_more_than_there_are():
    def advised(blocks):
        settings = {**to_dict(resnet_digits.Config()), "trainable_blocks": blocks}
        found = facts(settings=settings, blocks=4, loss=[0.69, 0.68, 0.675])
        return rules.generalization.underfitting(found).advice[0].changes["trainable_blocks"]

    assert [advised(n) for n in (0, 1, 2, 3)] == [2, 3, -1, -1]


def test_epochs_of_gradual_unfreezing_are_counted():
    found = facts(loss=[1.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    phases = ["head", "top 1", "top 1"]
    before = [{**found.rows[0], "phase": phase, "epoch": n} for n, phase in enumerate(phases, 1)]
    rows = before + [{**row, "epoch": row["epoch"] + 3} for row in found.rows]
    finding = rules.epochs.trained_too_long(dataclasses.replace(found, rows=rows, best_epoch=5))
    assert "epoch 2;" in finding.evidence
    assert finding.advice[0].changes["epochs"] == 2 + 4  # two of unfreezing, and twice the best


def test_no_rule_breaks_on_a_run_without_epochs():
    for state in ("failed", "interrupted", "running"):
        for rows in ([], facts(loss=[0.5]).rows):
            find(facts(rows=rows, state=state, best_epoch=None))
    assert len(RULES) == len({rule.__name__ for rule in RULES})


def test_a_loss_far_above_a_constant_baseline_is_unrecoverable():
    assert "constant baseline" in why_unrecoverable(facts(loss=[5.0, 9.0]))
    assert not why_unrecoverable(facts(loss=[5.0, 0.5]))
    assert "did not improve on a constant" in why_unrecoverable(
        facts(loss=[0.69, 0.70, 0.69, 0.70, 0.70])
    )


def test_a_training_that_has_lost_its_start_as_a_linear_probe_is_unrecoverable():
    settings = {**to_dict(resnet_digits.Config()), "trainable_blocks": 1}
    falls_to_the_baseline = facts(settings=settings, loss=[9.0, 0.73, 0.72, 0.71, 0.70])
    assert not why_unrecoverable(falls_to_the_baseline)  # perhaps a slow start
    lost = dataclasses.replace(falls_to_the_baseline, probe={"loss": 0.2})
    assert "a validation loss of 0.2; 5 epochs did not" in why_unrecoverable(lost)
    assert not why_unrecoverable(dataclasses.replace(lost, rows=lost.rows[:4]))
    assert not why_unrecoverable(dataclasses.replace(lost, probe={"loss": 0.69}))


def test_a_training_that_cannot_recover_is_ended_where_that_is_asked_for(tmp_path, photos, preset):
    config = resnet_digits.Config(
        preset=preset("resnet"), dataset=photos, image_size=16, learning_rate=50.0, epochs=8,
        head_epochs=0, patience=0, optimizer="sgd", gradient_clip=0.0, warmup_fraction=0.0,
        stop_when_hopeless=True,
    )  # fmt: skip
    run = fit(resnet_digits, config, str(tmp_path))
    assert len(run.history) < 8
    assert run.state in ("done", "failed")
    assert "watch  " in (run.path / "run.log").read_text() or run.state == "failed"


def test_runs_are_compared_by_what_differs():
    slow, well = injected("learning_rate_too_low"), injected("healthy")
    found = compare([slow, well])
    assert found["same_data"] and found["score"] == "accuracy"
    first, second = found["groups"]
    assert first["settings"] == {}
    assert set(second["settings"]) == {"learning_rate", "head_learning_rate"}
    assert second["verdict"] == "better"
    assert best_group(found)["runs"] == [str(well.path)]


def test_an_average_is_no_further_seed_of_its_fits(tmp_path):
    one, two, soup = (
        kerasft.load_run(shutil.copytree(record_of("healthy"), tmp_path / name))
        for name in ("one", "two", "soup")
    )
    write_manifest(soup, soup=[])
    groups = compare([one, two, soup])["groups"]
    assert [len(group["runs"]) for group in groups] == [2, 1]
    assert groups[1]["settings"] == {} and groups[1]["verdict"] == "within noise"


def copies(folder, **changes):
    """Return two equal records, of which the second has other settings."""
    one, two = (
        kerasft.load_run(shutil.copytree(record_of("healthy"), folder / name))
        for name in ("one", "two")
    )
    config = read_json(two.path / "config.json")
    write_record(two, "config.json", {**config, **changes})
    return [one, two]


def test_the_same_seeds_on_both_sides_have_the_same_data(tmp_path):
    pairs = []
    for folder, dropout in (("plain", 0.2), ("less", 0.1)):
        pair = copies(tmp_path / folder, seed=70)
        for number, run in enumerate(pair):
            config = read_json(run.path / "config.json")
            write_record(run, "config.json", {**config, "dropout": dropout})
            write_manifest(run, data=run.manifest["data"] | {"fingerprint": f"print {number}"})
        pairs += pair
    found = compare(pairs)
    assert len(found["groups"]) == 2 and found["note"] == ""


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"dropout": 0.1, "split_seed": 70}, "Fits with one split_seed have the same splits"),
        ({"validation_fraction": 0.3}, "may come from the splits."),
        ({"dropout": 0.1}, "different data"),
        ({"split_seed": 70, "fraction": 0.5}, "different data"),
    ],
)
def test_a_comparison_says_how_the_data_differ(changes, note, tmp_path):
    one, two = copies(tmp_path, **changes)
    assert compare([one, two])["note"] == ""
    data = two.manifest["data"] | {"fingerprint": "other"}
    if "fraction" in changes:
        data["examples"] = {"train": 100, "validation": 20}
    write_manifest(two, data=data)
    found = compare([one, two])
    assert note in found["note"] and not found["same_data"]


def test_a_comparison_says_that_runs_have_the_scores_of_their_start(tmp_path):
    one, two = copies(tmp_path, dropout=0.1)
    write_manifest(one, best_epoch=0)
    assert compare([one, two])["note"] == ""
    write_manifest(two, best_epoch=0)
    names = f"{tmp_path.name}/one, {tmp_path.name}/two"
    assert f"The best epoch of {names} is 0" in compare([one, two])["note"]


def test_seeds_with_splits_of_their_own_have_no_note(tmp_path):
    one, two = copies(tmp_path, seed=70)
    write_manifest(two, data=two.manifest["data"] | {"fingerprint": "other"})
    found = compare([one, two])
    assert len(found["groups"]) == 1 and found["note"] == ""


def test_scores_of_different_classes_cannot_be_compared(tmp_path):
    one, two = copies(tmp_path, dropout=0.1)
    labels = {**two.labels, "names": [*two.labels["names"][:-1], "eleven"]}
    write_record(two, "labels.json", labels)
    with pytest.raises(DataError, match=r"different classes \(such as '9', 'eleven'\)"):
        compare([one, kerasft.load_run(two.path)])


def test_a_comparison_names_what_it_leaves_out_and_counts_a_run_once(tmp_path):
    one, two = copies(tmp_path, dropout=0.1)
    write_record(one, "metrics.json", {})
    found = compare([one, two, two])
    assert found["left_out"] == [str(one.path)]
    assert [group["runs"] for group in found["groups"]] == [[str(two.path)]]


def test_some_of_the_splits_in_common_are_not_the_same_data(tmp_path):
    one, two = copies(tmp_path, seed=70)
    other = kerasft.load_run(shutil.copytree(one.path, tmp_path / "other"))
    config = read_json(other.path / "config.json")
    write_record(other, "config.json", {**config, "dropout": 0.1})
    write_manifest(two, data=two.manifest["data"] | {"fingerprint": "another"})
    for order in ([one, two, other], [other, one, two]):
        assert "different splits" in compare(order)["note"]


@pytest.mark.slow
def test_differences_within_noise_are_not_called_better(tmp_path):
    well = injected("healthy")
    again = kerasft.fit(
        resnet_digits,
        changed(resnet_digits.Config(seed=SEED), {**SETTINGS, "dropout": 0.21}),
        runs_dir=tmp_path,
        progress=False,
    )
    assert compare([well, again])["groups"][1]["verdict"] == "within noise"


def test_the_advice_on_duplicates_unsets_the_splits_that_are_named():
    named = {**to_dict(resnet_digits.Config()), "train_split": "train", "test_split": "dev"}
    found = {"duplicates": {"test/train": 50}}

    def command(changes, defaults):
        made = facts(settings=named, audit=found, changed=changes, defaults=defaults)
        (finding,) = [f for f in find(made) if f.name == "leakage"]
        return command_with(made, finding.advice[0].changes)

    none = dict.fromkeys(named)
    splits = {"train_split": "train", "test_split": "dev"}
    assert command(splits, none) == "kerasft fit r"  # nothing is changed any more
    assert command({}, named) == "kerasft fit r --train-split '' --test-split ''"
    assert command({"dataset": "x", **splits}, named) == "kerasft fit r --dataset x"
    assert rules.data.leakage(facts(audit=found)).advice[0].changes == {}


def test_an_advised_rate_has_two_digits():
    settings = {**facts().settings, "learning_rate": 1e-5, "trainable_blocks": -1}
    underfits = facts(settings=settings, loss=[0.69, 0.68, 0.675])
    advice = rules.generalization.underfitting(underfits).advice[-1]
    assert str(advice.changes["learning_rate"]) == "3e-05"

    matrix = {"confusion_matrix": [[50, 0], [50, 0]], "per_class": [{"name": "a"}, {"name": "b"}]}
    settings = {**settings, "learning_rate": 3e-4}
    collapsed = facts(settings=settings, metrics={"validation": matrix})
    advice = rules.generalization.collapsed(collapsed).advice[0]
    assert str(advice.changes["learning_rate"]) == "3e-05"

    settings = {**settings, "kernel_l2": 0.07}
    penalized = facts(settings=settings, rows=curves([0.6] * 3, [0.6] * 3))
    advice = rules.generalization.over_regularized(penalized).advice[-1]
    assert str(advice.changes["kernel_l2"]) == "7e-05"


@pytest.mark.parametrize("lost", [slice(0, 7), slice(6, 7)])
@pytest.mark.parametrize("state", ["running", "done"])
def test_rules_read_a_validation_loss_that_is_not_finite(state, lost):
    rows = curves([0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05], [0.6, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    for row in rows[lost]:
        row["val_loss"] = float("nan")
    found = find(facts(rows=rows, state=state, best_epoch=2))
    assert all("nan" not in finding.evidence for finding in found)


def test_a_perfect_fit_is_not_called_no_better_than_a_perfect_probe():
    found = facts(probe={"accuracy": 1.0}, metrics={"validation": {"accuracy": 1.0}})
    assert rules.gain.no_better_than_probe(found) is None


def test_a_fit_without_an_epoch_has_no_verdict_on_it(tmp_path):
    run = kerasft.load_run(shutil.copytree(record_of("healthy"), tmp_path / "run"))
    write_record(run, "history.json", [])
    write_record(run, "metrics.json", {})
    write_manifest(run, state="interrupted")
    assert str(diagnose(run)).splitlines() == [
        "State of this fit: interrupted.",
        f"Resume it first; `kerasft show {run.path}` has the command.",
        "No epoch has ended yet.",
    ]


@pytest.mark.parametrize(("ended", "named"), [(0.8, True), (0.79, True), (0.81, False)])
def test_a_fit_is_compared_with_its_linear_probe(ended, named):
    settings = to_dict(resnet_digits.Config(trainable_blocks=1))
    found = facts(
        probe={"accuracy": 0.8}, metrics={"validation": {"accuracy": ended}}, settings=settings
    )
    finding = rules.gain.no_better_than_probe(found)
    assert (finding is not None) == named
    if finding is not None:
        assert "0.8" in finding.evidence and not finding.fault
        assert finding.advice[1].changes["trainable_blocks"] == 0
    frozen = dataclasses.replace(found, settings={**settings, "trainable_blocks": 0})
    assert rules.gain.no_better_than_probe(frozen) is None


def test_a_rate_that_lost_the_start_is_not_too_low_as_well():
    """The record of a fit with a rate of 0.5: it ends near the baseline, slowly, from above."""
    losses = [1287, 4.516, 2.343, 2.37, 2.34, 2.331, 2.319, 2.317, 2.311, 2.304]
    validation = [2.492, 2.346, 2.386, 2.352, 2.335, 2.315, 2.316, 2.306, 2.303, 2.303]
    rates = [0.2625, 0.4962, 0.4665, 0.4107, 0.3355, 0.25, 0.1645, 0.0893, 0.0335, 0.0038]
    found = facts(
        rows=curves(losses, validation, rates), probe={"loss": 0.01186, "accuracy": 0.9926},
        audit={"class_counts": {str(n): 125 for n in range(10)}},
    )  # fmt: skip
    assert rules.learning_rate.learning_rate_too_low(found) is not None
    names = [finding.name for finding in find(found) if finding.name.startswith("learning_rate")]
    assert names == ["learning_rate_too_high"]


def test_a_range_test_is_advised_with_its_command_unless_it_was_made():
    found = facts(probe={"accuracy": 0.8}, metrics={"validation": {"accuracy": 0.7}})
    changes = [advice.changes for advice in rules.gain.no_better_than_probe(found).advice]
    assert command_with(found, changes[0]).endswith("--learning-rate auto")
    made = dataclasses.replace(found, range_test=True)
    changes = [advice.changes for advice in rules.gain.no_better_than_probe(made).advice]
    assert [set(each) for each in changes] == [{"trainable_blocks", "head_epochs", "learning_rate"}]


@pytest.mark.parametrize(("recall", "named"), [(0.6, True), (0.7, False)])
def test_a_fit_is_compared_with_its_linear_probe_by_its_monitor(recall, named):
    settings = {**to_dict(resnet_digits.Config(trainable_blocks=1)), "monitor": "val_recall"}
    found = facts(
        settings=settings, probe={"accuracy": 0.7, "recall": 0.65},
        metrics={"validation": {"accuracy": 0.7, "recall": recall}},
    )  # fmt: skip
    assert (rules.gain.no_better_than_probe(found) is not None) == named
    older = dataclasses.replace(found, probe={"accuracy": 0.7})  # it had the main metrics alone
    assert rules.gain.no_better_than_probe(older) is not None


def test_the_note_on_the_probe_says_that_its_weights_were_restored():
    found = facts(
        probe={"accuracy": 0.8}, metrics={"validation": {"accuracy": 0.8}}, best_epoch=0
    )  # fmt: skip
    evidence = rules.gain.no_better_than_probe(found).evidence
    assert "Epoch 0, that start, is the best one: its weights were restored." in evidence
    assert rules.epochs.trained_too_long(
        dataclasses.replace(found, rows=facts(loss=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).rows)
    ) is None  # fmt: skip


@pytest.mark.parametrize(
    ("score", "before", "named"),
    [(0.8, 0.9, True), (0.9, 0.9, True), (0.95, 0.9, False), (1, 1, False)],
)
def test_a_fit_has_gained_nothing_where_something_could_be_gained(score, before, named):
    untrained = {"by": "nearest class mean", "metric": "accuracy", "accuracy": before}
    found = facts(metrics={"validation": {"accuracy": score}}, untrained=untrained)
    assert (rules.gain.no_better_than_untrained(found) is not None) == named


def test_a_number_is_better_than_that_of_the_probe_if_its_error_is_smaller():
    found = facts(probe={"rmse": 2.0}, task="regression", metrics={"validation": {"rmse": 1.5}})
    assert rules.gain.no_better_than_probe(found) is None
    worse = dataclasses.replace(found, metrics={"validation": {"rmse": 2.5}})
    assert rules.gain.no_better_than_probe(worse) is not None
