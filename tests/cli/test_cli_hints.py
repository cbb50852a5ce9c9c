"""What people type by habit is answered with what is meant."""

import pytest
from PIL import Image


@pytest.fixture
def photos_here(tmp_path):
    """A folder of two classes below the test's own folder, and a table of texts."""
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "photos" / name / "1.png")
    (tmp_path / "texts.csv").write_text("text,label\na,b\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("train", "Did you mean: kerasft fit?"),
        ("recipes", "Did you mean: kerasft list?"),
        ("compare a b", "Did you mean: kerasft runs compare?"),
        ("infer", "Did you mean: kerasft predict?"),
        ("version", "Did you mean: kerasft --version?"),
        ("evalute", "Did you mean 'evaluate'?"),
        ("fit minilm", "Did you mean 'minilm_tickets' or 'minilm_urgency'?"),
        ("fit resnet_digits --lr 1e-3", "No such option '--lr'. Did you mean '--learning-rate'?"),
        ("fit resnet_digits -lr 1e-3", "No such option '-lr'. Did you mean '--learning-rate'?"),
        ("fit resnet_digits --learning_rate 1", "Did you mean '--learning-rate'?"),
        ("fit resnet_digits --batch 8", "Did you mean '--batch-size'?"),
        ("tune resnet_digits --trials 3", "Did you mean '--max-trials'?"),
        ("fit --max-len 64", "Did you mean '--sequence-length'? Settings go after the recipe"),
        ("evaluate latest --text body", "Did you mean '--text-column'?"),
        ("fit resnet_digits --label x", "'--label-column', '--label-separator' or "),
        ("fit resnet_digits --ladders", "No such option '--ladders'."),
        ("fit resnet_digits epochs=3", "Did you mean --epochs 3?"),
        ("fit resnet_digits epochs 3", "Did you mean --epochs 3?"),
        ("fit resnet_digits 3", "Settings are options, such as --epochs 3."),
        ("fit resnet_digits photos", "Did you mean --dataset photos?"),
        ("fit photos/", "kerasft fit resnet_digits --dataset photos/"),
        ("fit texts.csv", "kerasft fit minilm_tickets --dataset texts.csv"),
        ("fit tfds:beans", "tfds:beans is a dataset, not a recipe."),
        ("show nosuch", "No recipe or run named 'nosuch' found."),
        ("show resnet_digts", "Did you mean 'resnet_digits'?"),
        ("evaluate nosuch --task regression", "No such option '--task'."),
    ],
)
def test_usage_is_answered_with_what_is_meant(kerasft_line, photos_here, line, hint):
    result = kerasft_line(*line.split())
    assert result.exit_code == 2, result.output
    assert hint in " ".join(result.stderr.split())
    assert "--ladder " not in result.stderr


@pytest.mark.parametrize(
    ("dataset", "hint"),
    [
        ("phtos", "Did you mean 'photos'?"),
        ("text.csv", "Did you mean 'texts.csv'?"),
        ("digits", "Did you mean 'builtin:digits'?"),
        ("tf_flowers", "Did you mean 'tfds:tf_flowers'?"),
        ("photos/cat", "one of the 2 classes of "),
    ],
)
def test_a_dataset_that_is_not_one_is_answered_with_the_near_one(
    kerasft_line, photos_here, dataset, hint
):
    result = kerasft_line("fit", "resnet_digits", "--dataset", dataset)
    assert result.exit_code == 3
    assert hint in result.stderr


@pytest.mark.parametrize(
    ("words", "same"),
    [
        (["help"], ["--help"]),
        (["-h"], ["--help"]),
        (["help", "fit"], ["fit", "--help"]),
        (["fit", "-h"], ["fit", "--help"]),
        (["help", "runs", "compare"], ["runs", "compare", "--help"]),
        (["runs", "-h"], ["runs", "--help"]),
        (["help", "fit", "resnet_digits"], ["fit", "resnet_digits", "-h"]),
    ],
)
def test_help_is_found_however_it_is_asked_for(kerasft_line, words, same):
    result = kerasft_line(*words)
    assert result.exit_code == 0
    assert result.stdout == kerasft_line(*same).stdout
    assert result.stdout.startswith("Usage: kerasft")


def test_the_help_of_a_recipe_is_short_and_names_every_setting(kerasft_line, recipe_file):
    text = kerasft_line("fit", recipe_file, "--help").stdout
    first, _, rest = text.partition("Recipe settings:")
    assert first.count("\n  --") == 10
    assert "--stamps INTEGER" in rest and "--gradient-clip" in rest.partition("More settings")[2]
    whole = kerasft_line("fit", recipe_file, "--help-all").stdout
    assert len(text.splitlines()) < 80 < len(whole.splitlines())


@pytest.mark.parametrize(
    ("words", "task"),
    [
        (["--label-column", "rude,late"], "multilabel"),
        (["--label-column", "rude,late", "--task", "classification"], "classification"),
        (["--label-column", "rude"], "classification"),
    ],
)
def test_several_label_columns_are_several_labels(
    kerasft_line, recipe_file, api, make_run, words, task
):
    api("fit", lambda *args, **kwargs: make_run())
    kerasft_line("fit", recipe_file, *words)
    assert api.calls[0][1][1].task == task
