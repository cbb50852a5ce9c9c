"""The simulated scheduler, beside KerasTuner's own oracle of Hyperband."""

import random

import keras_tuner
import pytest

from kerasft.planning.scheduling import Costs, Hyperband, Independent, simulate
from kerasft.tuning.oracles import Oracle, hyperband_plan

FREE = Costs((1.0,), start=0.0, scheduling=0.0)


@pytest.mark.parametrize(
    ("trials", "workers", "seconds"), [(1000, 100, 50.0), (1000, 1, 5000.0), (7, 100, 5.0)]
)
def test_independent_trials_run_in_waves(trials, workers, seconds):
    found = simulate(Independent(trials - 1, 5), workers, FREE, 5)
    assert (found.trials, found.seconds) == (trials, seconds)
    assert found.utilization == pytest.approx(trials * 5 / workers / seconds)


def test_workers_start_once_and_the_scheduler_hands_out_one_trial_at_a_time():
    costs = Costs((1.0,), start=10.0, scheduling=0.5)
    assert simulate(Independent(3, 1), 1, costs, 1).seconds == pytest.approx(10 + 4 * 1.5)
    # The second worker waits for the first trial to be handed out.
    assert simulate(Independent(1, 1), 2, costs, 1).seconds == pytest.approx(2 * 0.5 + 10 + 1)


def test_more_workers_than_the_scheduler_serves_wait_for_it():
    costs = Costs((1.0,), start=0.0, scheduling=0.1)
    assert simulate(Independent(999, 1), 1000, costs, 1).seconds == pytest.approx(101, rel=1e-3)


def test_trials_that_differ_take_their_mean():
    costs = Costs((1.0, 3.0), start=0.0, scheduling=0.0)
    assert simulate(Independent(999, 1), 1, costs, 1).seconds == pytest.approx(2000, rel=0.05)


@pytest.mark.parametrize("max_epochs", [1, 4, 27])
@pytest.mark.parametrize("workers", [1, 3, 50])
def test_every_trial_of_hyperband_is_run(max_epochs, workers):
    planned = [rung for rungs in hyperband_plan(max_epochs) for rung in rungs]
    found = simulate(Hyperband(max_epochs, 0, 10**6), workers, FREE, max_epochs)
    assert found.trials == 1 + sum(count for count, _, _ in planned)
    epochs = max_epochs + sum(count * (until - before) for count, before, until in planned)
    assert found.seconds * found.utilization * workers == pytest.approx(epochs)
    if workers == 1:
        assert found.seconds == epochs


def test_head_epochs_are_trained_by_new_trials_and_the_number_is_limited():
    proposals = Hyperband(4, 2, 6)
    asked = [proposals.ask() for _ in range(8)]
    assert [epochs for _, epochs in asked[:5]] == [4] * 5  # two of the rung, two head-only
    assert asked[5:] == [(2, 6), None, None]  # of the other bracket; six trials in all


@pytest.mark.parametrize("workers", [1, 2, 7])
@pytest.mark.parametrize("max_epochs", [4, 12])
def test_trials_are_proposed_when_kerastuner_proposes_them(max_epochs, workers, tmp_path):
    space = keras_tuner.HyperParameters()
    space.Float("learning_rate", 1e-5, 1e-2, sampling="log")
    oracle = Oracle("hyperband", space, "max", tmp_path, max_epochs=max_epochs)
    ours, epochs = Hyperband(max_epochs, 0, 10**6), {None: 0}
    running, draw = [], random.Random(workers)
    while True:
        theirs, mine = oracle.ask(), ours.ask()
        assert (theirs is None) == (mine is None)
        if theirs is not None:
            epochs[theirs.key] = theirs.epochs
            assert mine[1] == theirs.epochs - epochs[theirs.continues or None]
            running.append((theirs.key, mine[0]))
        if not running:
            return
        if theirs is None or len(running) == workers:
            key, rung = running.pop(draw.randrange(len(running)))
            oracle.tell(key, draw.random())
            ours.end(rung)
