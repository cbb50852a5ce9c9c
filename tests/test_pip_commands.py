"""Install commands fit the installation: a checkout or a wheel, and the pip of this Python."""

from pathlib import Path

import pytest

import kerasft
from kerasft import pip_commands
from kerasft.pip_commands import install_extra, pip_command

ROOT = Path(kerasft.__file__).resolve().parent.parent


def test_a_checkout_is_named_by_its_path(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    assert install_extra("gpu").endswith("pip install -e '.[gpu]'")
    monkeypatch.chdir(tmp_path)
    assert install_extra("gpu").endswith(f"pip install -e '{ROOT}[gpu]'")


def test_a_wheel_names_the_packages_of_the_extra(monkeypatch):
    found = ["click>=8.2", "mlflow>=3; extra == 'mlflow'", 'tensorflow[and-cuda]<3; extra == "gpu"']
    monkeypatch.setattr(pip_commands, "checkout", lambda: None)
    monkeypatch.setattr("importlib.metadata.requires", lambda name: found)
    assert install_extra("gpu").endswith("pip install 'tensorflow[and-cuda]<3'")
    assert install_extra("mlflow").endswith("pip install 'mlflow>=3'")


@pytest.mark.parametrize(
    ("folder", "command"),
    [(".venv", "pip install x"), ("other", ".venv/bin/python -m pip install x")],
)
def test_the_pip_on_the_path_is_used_if_it_is_that_of_this_python(
    monkeypatch, tmp_path, folder, command
):
    monkeypatch.chdir(tmp_path)
    program = tmp_path / folder / "bin" / "pip"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr("sys.executable", str(tmp_path / ".venv" / "bin" / "python"))
    assert pip_command("install x") == command
