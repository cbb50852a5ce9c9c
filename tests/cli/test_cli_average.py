"""Averages of several fits, on the command line and for real."""

import json
from pathlib import Path

import pytest

import kerasft
from kerasft.formatting import number

pytestmark = pytest.mark.slow


def relative(path):
    return str(Path(path).relative_to(Path.cwd()))


def test_seeds_are_averaged_on_the_command_line(kerasft_line, preset, photos):
    words = ["fit", "resnet_digits", "--preset", preset("resnet"), "--dataset", photos,
             "--image-size", "16", "--epochs", "1", "--head-epochs", "0", "--trainable-blocks", "0",
             "--average-weights", "soup"]  # fmt: skip
    refused = kerasft_line(*words)
    assert refused.exit_code == 2 and "--seeds 2 or more" in refused.stderr
    done = kerasft_line(*words, "--seeds", "2", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert {run["config"]["split_seed"] for run in found["runs"]} == {0}
    soup = found["average"]
    offered = [one["run"] for one in soup["soup"]]
    assert sorted(offered) == sorted(str(Path(run["path"]).absolute()) for run in found["runs"])
    assert {run["config"]["average_weights"] for run in found["runs"]} == {"none"}
    shown = kerasft_line("show", soup["path"])
    assert f"kerasft average {' '.join(map(relative, offered))}" in shown.stdout
    best = soup["soup"][0]
    (line,) = (line for line in shown.stdout.splitlines() if line.startswith("best fit"))
    assert line.split(None, 2)[2] == (
        f"validation accuracy {number(best['validation'])}, test accuracy {number(best['test'])}"
    )
    as_json = kerasft_line("show", soup["path"], "--json")
    assert json.loads(as_json.stdout)["soup"] == soup["soup"]
    again = kerasft_line("average", *offered, "--name", "again")
    assert again.exit_code == 0, again.output
    assert "VALIDATION ACCURACY" in again.stdout and "runs/resnet_digits/again" in again.stdout


def test_the_best_trials_of_a_search_are_averaged(kerasft_line, preset, photos):
    words = ["tune", "resnet_digits", "--preset", preset("resnet"), "--dataset", photos,
             "--image-size", "16", "--epochs", "1", "--head-epochs", "0", "--trainable-blocks", "0",
             "--space", "learning_rate=1e-3,1e-2,1e-4,1e-5", "--dropout", "0.2",
             "--tuner", "grid"]  # fmt: skip
    done = kerasft_line(*words, "--average-weights", "soup", "--name", "found", "--json")
    assert done.exit_code == 0, done.output
    run = kerasft.load_run(json.loads(done.stdout)["run"])
    assert len(run.manifest["soup"]) == 3  # a search stores the weights of its three best
    assert {one["test"] for one in run.manifest["soup"]} == {None}  # trials do not use that split
    assert "test" in run.metrics
    resumed = kerasft_line(*words, "--average-weights", "soup", "--name", "found", "--resume")
    assert resumed.exit_code == 0 and "of 3 fits" in resumed.stdout, resumed.output
    again = kerasft_line("average", "searches/resnet_digits/found", "--quiet")
    assert again.exit_code == 0, again.output
    refused = kerasft_line("average", "elsewhere")
    assert refused.exit_code == 2 and "is not a search folder" in refused.stderr
    both = kerasft_line(*words, "--average-weights", "soup", "--fit-best")
    assert both.exit_code == 2 and "give one" in both.stderr
