"""The command that resumes a fit."""

import pytest

from kerasft.errors import LostProcessError, ResourceError
from kerasft.runs import naming_resume_command


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
