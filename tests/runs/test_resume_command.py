"""The command that resumes a fit."""

from pathlib import Path

import pytest

from kerasft.errors import LostProcessError, ResourceError
from kerasft.runs import naming_resume_command, resume_command, resume_search_command


@pytest.mark.parametrize(
    ("recipe", "runs_dir", "name", "command"),
    [
        ({"name": "resnet_digits"}, "runs", None, "resnet_digits --resume"),
        (
            {"name": "mail", "source": "my mail.py"},
            "/disk/runs",
            "one",
            "'my mail.py' --resume --name one --runs-dir /disk/runs",
        ),
    ],
)
def test_the_error_about_a_lost_process_names_the_command(recipe, runs_dir, name, command):
    with (
        pytest.raises(LostProcessError) as caught,
        naming_resume_command(recipe, runs_dir, name),
    ):
        raise LostProcessError(2, "the connection broke")
    assert str(caught.value) == (
        "Another of the 2 processes of this fit ended or cannot be reached (the connection broke)"
        f". Resume it in every process: kerasft fit {command}"
    )


def test_other_errors_are_raised_as_they_are():
    error = ResourceError("Full.")
    with pytest.raises(ResourceError) as caught, naming_resume_command({"name": "a"}, "runs", None):
        raise error
    assert caught.value is error


def test_the_command_names_a_backend_that_another_shell_may_not_have(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    command = resume_command(Path("runs/resnet_digits/one"), {"name": "resnet_digits"})
    assert command == "KERAS_BACKEND=jax kerasft fit resnet_digits --resume --name one"


def test_data_in_memory_are_passed_again_in_python():
    recipe, table = {"name": "mail"}, {"source": "memory:cf13f0c0f241ddb9"}
    fit = resume_command(Path("/disk/mail/one"), recipe, table)
    assert fit == "kerasft.fit('mail', dataset=TABLE, name='one', runs_dir='/disk', resume=True)"
    search = resume_search_command(Path("searches/mail/one"), recipe, "memory:cf13f0c0f241ddb9")
    assert search == "kerasft.tune('mail', dataset=TABLE, name='one', resume=True)"


def test_the_command_of_a_search_names_its_folder_and_scheduler():
    recipe = {"name": "resnet_digits", "source": None}
    there = resume_search_command(Path("searches/resnet_digits/a b"), recipe)
    assert there == "kerasft tune resnet_digits --resume --name 'a b'"
    other = resume_search_command(
        Path("/s/own/one"), {"name": "own", "source": "own.py"}, None, ["--scheduler", "local:2"]
    )
    assert other == (
        "kerasft tune own.py --resume --name one --searches-dir /s --scheduler local:2"
    )
