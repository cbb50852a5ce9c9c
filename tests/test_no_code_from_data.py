"""Data never run as code: no pickle, no eval, no unsafe loading."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "kerasft").rglob("*.py"), *(ROOT / "recipes").glob("*.py")])
MODULES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "jsonpickle"}
CALLS = {"eval", "exec", "__import__"}
UNSAFE = {"safe_mode": False, "allow_pickle": True, "trust_remote_code": True, "shell": True}
# A recipe is a program: it is executed after its hash was compared with that of its run.
ALLOWED = {("kerasft/catalog.py", "exec")}


def unsafe_names(source: str) -> list[str]:
    """Return the names in a source that can run data as code."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.partition(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in MODULES:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "id", "")
            found += [name] * (name in CALLS)
            given = {k.arg: getattr(k.value, "value", None) for k in node.keywords if k.arg}
            found += [k for k, value in UNSAFE.items() if k in given and given[k] is value]
        elif isinstance(node, ast.Attribute) and node.attr == "enable_unsafe_deserialization":
            found.append(node.attr)
    return found


def test_nothing_runs_data_as_code():
    found = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in SOURCES
        for name in unsafe_names(path.read_text(encoding="utf-8"))
    }
    assert found == ALLOWED


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import joblib.numpy_pickle",
        "from dill import load",
        "eval(text)",
        "exec(text)",
        "np.load(path, allow_pickle=True)",
        "keras.saving.load_model(path, safe_mode=False)",
        "subprocess.run(line, shell=True)",
        "keras.config.enable_unsafe_deserialization()",
    ],
)
def test_every_unsafe_name_is_found(source):
    assert unsafe_names(source)


@pytest.mark.parametrize(
    "source",
    ["ast.literal_eval(text)", "model.eval()", "np.load(path)", "load_model(path, safe_mode=True)"],
)
def test_safe_names_are_allowed(source):
    assert not unsafe_names(source)
