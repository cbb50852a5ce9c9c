"""fit: options from the Config, what reaches the Python API, and what is printed."""

import json
import shlex
from types import SimpleNamespace

import pytest

from kerasft import catalog
from kerasft.errors import DataError
from kerasft.setting_declaration import settings

RECIPES = [recipe.name for recipe in catalog.list_recipes()]


@pytest.mark.parametrize("recipe", RECIPES)
def test_help_shows_every_setting_with_its_default_and_range(kerasft_line, recipe):
    result = kerasft_line("fit", recipe, "--help-all")
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    for item in settings(catalog.load_recipe(recipe).Config).values():
        assert f"--{item.name.replace('_', '-')} " in text
        assert "".join(item.help.split()) in text.replace(" ", "")  # words break at hyphens
    assert "[default: 1; 0 <= x < 1]" not in text
    assert "0 <= x < 1]" in text and "one of adam, adamw, sgd, rmsprop, lion]" in text


def test_help_groups_settings_under_headings(kerasft_line, recipe_file):
    lines = kerasft_line("fit", recipe_file, "--help-all").stdout.splitlines()
    headings = [line for line in lines if line.endswith("settings:") or line == "Options:"]
    assert headings == [
        "Dataset settings:",
        "Text settings:",
        "Selection settings:",
        "Task settings:",
        "Backbone settings:",
        "Regularization settings:",
        "Schedule settings:",
        "Optimizer settings:",
        "Stopping settings:",
        "Compute settings:",
        "Recipe settings:",
        "Options:",
    ]
    stamps = next(number for number, line in enumerate(lines) if "--stamps" in line)
    assert lines.index("Recipe settings:") < stamps < lines.index("Options:")


def test_only_given_settings_are_set_and_in_their_types(kerasft_line, recipe_file, api, make_run):
    api("fit", lambda *args, **kwargs: make_run())
    line = "--stamps 3 --epochs 1e1 --learning-rate 1e-3 --no-pretrained --text-column body"
    result = kerasft_line("fit", recipe_file, *line.split())
    assert result.exit_code == 0, result.output
    module, config = api.calls[0][1]
    given = {"stamps": 3, "epochs": 10, "learning_rate": 1e-3, "pretrained": False}
    assert config == module.Config(**given, text_column="body")
    assert isinstance(config.epochs, int)


def test_a_folder_of_a_table_and_its_images_is_a_dataset(kerasft_line, tmp_path, api, make_run):
    api("fit", lambda *args, **kwargs: make_run())
    (tmp_path / "labels.csv").write_text("image,label\n1.png,a\n", encoding="utf-8")
    (tmp_path / "1.png").touch()
    result = kerasft_line("fit", "resnet_digits", "--dataset", tmp_path)
    assert result.exit_code == 0, result.output
    assert len(api.calls) == 1


def test_an_optional_setting_is_unset_by_an_empty_text(kerasft_line, recipe_file, api, make_run):
    api("fit", lambda *args, **kwargs: make_run())
    kerasft_line("fit", recipe_file, "--train-split", "")
    assert api.calls[0][1][1].train_split is None


def test_run_folder_name_and_progress_reach_the_api(kerasft_line, recipe_file, api, make_run):
    api("fit", lambda *args, **kwargs: make_run())
    kerasft_line("fit", recipe_file, "--runs-dir", "elsewhere", "--name", "mine")
    kerasft_line("-q", "fit", recipe_file)
    assert api.calls[0][2] == {
        "runs_dir": "elsewhere",
        "name": "mine",
        "progress": True,
        "track": None,
        "resume": False,
        "devices": None,
        "fixed": [],
    }
    assert api.calls[1][2] == {
        **api.calls[0][2],
        "runs_dir": "runs",
        "name": None,
        "progress": False,
    }


def test_a_person_reads_scores_folder_and_next_commands(kerasft_line, recipe_file, api, make_run):
    api("fit", lambda *args, **kwargs: make_run("my run"))
    lines = kerasft_line("fit", recipe_file).stdout.splitlines()
    assert lines[0] == "test  accuracy 0.9, f1 0.85, loss 0.25  (10 examples)"
    assert lines[2] == "run   runs/mail/my run"
    assert shlex.split(lines[3]) == ["next", "kerasft", "diagnose", "runs/mail/my run"]
    assert shlex.split(lines[4]) == ["kerasft", "report", "runs/mail/my run"]
    assert shlex.split(lines[5]) == ["kerasft", "predict", "runs/mail/my run", "a text"]
    assert shlex.split(lines[6]) == ["kerasft", "export", "runs/mail/my run"]


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_program_reads_json_or_the_path(kerasft_line, recipe_file, api, order, make_run, metrics):
    names = iter(("one", "two"))
    api("fit", lambda *args, **kwargs: make_run(next(names)))

    def line(flag):
        words = ["fit", recipe_file]
        return [flag, *words] if order == "before" else [*words, flag]

    found = json.loads(kerasft_line(*line("--json")).stdout)
    assert sorted(found) == ["config", "metrics", "path", "recipe", "run", "seconds"]
    assert found["path"] == "runs/mail/one" and found["metrics"] == {"test": metrics}
    assert kerasft_line(*line("--quiet")).stdout == "runs/mail/two\n"


def test_what_libraries_print_does_not_reach_stdout(kerasft_line, recipe_file, api, make_run):
    def chatty(*args, **kwargs):
        print("Downloading ...")
        return make_run()

    api("fit", chatty)
    result = kerasft_line("fit", recipe_file, "--json")
    json.loads(result.stdout)
    assert result.stderr == "Downloading ...\n"


def test_a_mistyped_option_is_answered_with_the_near_one(kerasft_line):
    result = kerasft_line("fit", "resnet_digits", "--dropuot", "1")
    assert result.exit_code == 2
    assert "No such option" in result.stderr and "--dropout" in result.stderr


@pytest.mark.parametrize(
    ("recipe", "option", "kind"),
    [("resnet_digits", "--word-dropout", "texts"), ("minilm_tickets", "--mixup", "images")],
)
def test_a_setting_of_the_other_kind_of_recipe_is_named_as_one(kerasft_line, recipe, option, kind):
    result = kerasft_line("fit", recipe, option, "0.1")
    assert result.exit_code == 2
    assert f"{option} is a setting of recipes for {kind}" in result.stderr


def test_a_mistyped_recipe_or_command_is_answered_with_the_near_one(kerasft_line):
    result = kerasft_line("fit", "resnet_digts")
    assert result.exit_code == 2 and "Did you mean 'resnet_digits'?" in result.stderr
    result = kerasft_line("evalute", "latest")
    assert result.exit_code == 2 and "Did you mean 'evaluate'?" in result.stderr


def test_a_setting_before_the_recipe_is_answered_with_the_right_order(kerasft_line):
    result = kerasft_line("fit", "--epochs", "3", "resnet_digits")
    assert result.exit_code == 2
    assert "Settings go after the recipe: kerasft fit RECIPE --epochs 3" in result.stderr


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--epochs abc", "--epochs must be a whole number. Received: --epochs abc."),
        ("--epochs 2.5", "--epochs must be a whole number. Received: --epochs 2.5."),
        ("--epochs 0", "--epochs must be at least 1. Received: --epochs 0."),
        ("--epochs=", "--epochs must be a whole number. Received: --epochs ''."),
        ("--dropout 1.5", "--dropout must be below 1. Received: --dropout 1.5."),
        ("--dropout nan", "--dropout must be a number. Received: --dropout nan."),
        ("--momentum 1.5", "--momentum must be below 1. Received: --momentum 1.5."),
        (
            "--optimizer adma",
            "--optimizer must be one of adam, adamw, sgd, rmsprop, lion. Received: --optimizer "
            "adma. Did you mean 'adam'?",
        ),
        (
            "--no-pretrained --no-freeze-batch-norm --pretrained-l2 0.1",
            "Received --no-pretrained, but --pretrained-l2 needs pretrained weights. Remove "
            "--no-pretrained.",
        ),
    ],
)  # fmt: skip
def test_a_bad_value_is_answered_with_the_option_that_was_typed(kerasft_line, line, message):
    result = kerasft_line("fit", "resnet_digits", *line.split())
    assert result.exit_code == 2
    assert result.stderr == f"Error: {message}\n"


def test_a_setting_that_is_an_option_of_the_command_is_refused(kerasft_line, recipe_file):
    text = recipe_file.read_text(encoding="utf-8")
    recipe_file.write_text(text.replace("stamps", "name"), encoding="utf-8")
    result = kerasft_line("fit", recipe_file)
    assert result.exit_code == 2
    assert "`name` cannot be a setting" in result.stderr


def test_fit_alone_lists_the_recipes(kerasft_line):
    result = kerasft_line("fit", "--help")
    assert all(name in result.stdout for name in RECIPES)
    assert kerasft_line("fit").exit_code == 2


def test_bad_data_is_one_sentence(kerasft_line, recipe_file, api):
    api("fit", DataError("Row 17 of mail.csv has no label."))
    result = kerasft_line("fit", recipe_file)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "Error: Row 17 of mail.csv has no label.\n"


def test_every_config_field_has_an_option(kerasft_line, recipe_file):
    text = kerasft_line("fit", recipe_file, "--help").stdout
    for name in settings(catalog.load_recipe(recipe_file).Config):
        assert f"--{name.replace('_', '-')}" in text


def test_baselines_mark_the_chosen_step(kerasft_line, recipe_file, api, make_run):
    probe, block = make_run("probe"), make_run("block")

    def step(name, score, run, verdict, chosen=False):
        return SimpleNamespace(name=name, metric="accuracy", score=score, parameters=10,
                               seconds=1.0, verdict=verdict, chosen=chosen, run=run, test=score)  # fmt: skip # noqa: E501

    api("compare_baselines", [
        step("predicting the majority class", 0.5, None, "the score to beat"),
        step("linear probe", 0.80, probe, "+0.3, above noise (0.2)", chosen=True),
        step("top block", 0.83, block, "+0.03, within noise (0.18)"),
    ])  # fmt: skip
    result = kerasft_line("fit", recipe_file, "--baselines")
    assert result.exit_code == 0, result.output
    marked = [line for line in result.stdout.splitlines() if line.endswith("<- chosen")]
    assert len(marked) == 1 and marked[0].startswith("linear probe")
    assert ["run", str(probe.path)] in [line.split() for line in result.stdout.splitlines()]
    assert f"kerasft diagnose {probe.path}" in result.stdout


def test_a_taken_name_is_refused_before_the_fit(kerasft_line, recipe_file, api, tmp_path):
    taken = tmp_path / "runs" / "mail" / "one"
    taken.mkdir(parents=True)
    (taken / "manifest.json").write_text('{"state": "done"}')
    api("fit", AssertionError("the fit must not begin"))
    result = kerasft_line("fit", recipe_file, "--runs-dir", tmp_path / "runs", "--name", "one")
    assert result.exit_code == 2
    assert f"delete it: kerasft runs delete {taken}." in result.stderr


def test_a_later_process_says_which_one_reports(kerasft_line, recipe_file, api, monkeypatch):
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", "3")
    monkeypatch.setenv("KERAS_DISTRIBUTION_PROCESS_ID", "1")
    monkeypatch.setenv("KERAS_DISTRIBUTION_JOB_ADDRESSES", "127.0.0.1:1,127.0.0.1:2,127.0.0.1:3")
    (recipe_file.parent / "mail.csv").write_text("text,label\nhello,letter\n")
    api("fit", None)
    result = kerasft_line("fit", recipe_file)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "process 1 (of 0 to 2): it trains, and process 0 reports\n"
    assert kerasft_line("fit", recipe_file, "-q").stderr == ""


@pytest.mark.parametrize(("rank", "shown"), [(0, False), (1, True)])
@pytest.mark.parametrize("error", [RuntimeError("Broken thing"), DataError("Row 17.")])
def test_a_later_process_shows_the_traceback_that_only_its_log_had(
    kerasft_line, recipe_file, api, monkeypatch, rank, shown, error
):
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", "2")
    monkeypatch.setenv("KERAS_DISTRIBUTION_PROCESS_ID", str(rank))
    monkeypatch.setenv("KERAS_DISTRIBUTION_JOB_ADDRESSES", "127.0.0.1:1,127.0.0.1:2")
    (recipe_file.parent / "mail.csv").write_text("text,label\nhello,letter\n")
    api("fit", error)
    result = kerasft_line("fit", recipe_file, "-q")
    unexpected = isinstance(error, RuntimeError)
    assert result.stderr.startswith("Traceback (most recent") == (shown and unexpected)
    assert str(error) in result.stderr.splitlines()[-1]
