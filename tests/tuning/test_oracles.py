"""KerasTuner's oracles: proposals and scores."""

import pytest

from kerasft.recipes import resnet_digits
from kerasft.tuning.oracles import TUNERS, Oracle, hyperband_plan
from kerasft.tuning.space import make_space


def ask_all(tuner, folder, *, limit, seed=0, max_epochs=9, changes=()):
    config = resnet_digits.Config()
    space = make_space(resnet_digits, config, changes=changes)
    folder.mkdir()
    oracle = Oracle(tuner, space, "max", folder, seed=seed, max_epochs=max_epochs)
    oracle.tell_defaults({hp.name: getattr(config, hp.name) for hp in space.space}, 0.5)
    found = []
    while len(found) < limit and (proposal := oracle.ask()) is not None:
        found.append(proposal)
        oracle.tell(proposal.key, None if len(found) == 3 else 1 / len(found))
    return found


@pytest.mark.parametrize("tuner", TUNERS)
def test_the_same_calls_give_the_same_proposals(tuner, tmp_path):
    # After the first five a Gaussian process proposes, which takes half a second each time.
    limit = 8 if tuner == "bayesian" else 14
    first = ask_all(tuner, tmp_path / "a", limit=limit)
    assert len(first) == limit
    assert ask_all(tuner, tmp_path / "b", limit=limit) == first
    other = ask_all(tuner, tmp_path / "c", limit=5, seed=1)
    assert (other == first[:5]) == (tuner == "grid")  # a grid has no chance in it


@pytest.mark.parametrize("max_epochs", [1, 2, 3, 4, 9, 10, 27])
def test_the_plan_of_hyperband_is_what_the_oracle_asks_for(tmp_path, max_epochs):
    changes = ["learning_rate=1e-5..1e-1:log"]
    config = resnet_digits.Config()
    space = make_space(resnet_digits, config, changes=changes)
    oracle = Oracle("hyperband", space, "max", tmp_path, max_epochs=max_epochs)
    asked = []
    while (proposal := oracle.ask()) is not None:
        asked.append(proposal)
        oracle.tell(proposal.key, 1 / (1 + len(asked)))
    by_key = {proposal.key: proposal for proposal in asked}
    described = sorted((by_key[p.continues].epochs if p.continues else 0, p.epochs) for p in asked)
    plan = hyperband_plan(max_epochs)
    rungs = [(before, until) for bracket in plan for n, before, until in bracket for _ in range(n)]
    assert described == sorted(rungs)


def test_a_grid_is_walked_whole_without_waiting_for_results(tmp_path):
    config = resnet_digits.Config()
    changes = ["learning_rate=1e-3,1e-2", "trainable_blocks=-1,2", "dropout=0.2,0.4"]
    space = make_space(resnet_digits, config, changes=changes)
    oracle = Oracle("grid", space, "max", tmp_path)
    found = []
    while (proposal := oracle.ask()) is not None:
        found.append(proposal)  # no score is reported
    assert len({tuple(p.values.values()) for p in found}) == len(found) == 8
    assert found[0].values == {"learning_rate": 1e-3, "trainable_blocks": -1, "dropout": 0.2}


def test_bayesian_optimisation_goes_where_the_objective_is_better(tmp_path):
    config = resnet_digits.Config()
    space = make_space(
        resnet_digits, config, fixed=["trainable_blocks", "dropout"],
        changes=["learning_rate=1e-4..1e-1:log"],
    )  # fmt: skip
    for direction, sign in (("max", 1), ("min", -1)):
        folder = tmp_path / direction
        folder.mkdir()
        oracle = Oracle("bayesian", space, direction, folder)
        rates = []
        for _ in range(12):
            proposal = oracle.ask()
            rates.append(proposal.values["learning_rate"])
            oracle.tell(proposal.key, sign * rates[-1])
        assert max(rates[4:]) > 0.05  # the better end, whichever sign the objective has
        assert sum(rate > 0.02 for rate in rates[4:]) >= 4
