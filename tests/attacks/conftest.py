"""What attacks share, made once for all workers."""

from pathlib import Path

import pytest

FIXTURES = {
    "bert": "preset",
    "photos": "photos",
    "image run": "image_run",
    "text run": "text_run",
    "export": "exported_texts",
}


@pytest.fixture(scope="session")
def exported_texts(shared_folder, text_run):
    """The folder of an exported version."""
    folder = shared_folder(
        "attacked-export", lambda path: text_run.export(models_dir=path, name="texts")
    )
    return folder / "texts" / "1"


@pytest.fixture(scope="session")
def shared(request):
    """Returns the function of `Place.shared`: from a name to the path of what was made."""

    def get(name):
        made = request.getfixturevalue(FIXTURES[name])
        made = made("bert") if name == "bert" else made
        return Path(getattr(made, "path", made))

    return get
