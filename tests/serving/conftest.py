"""Exports that are made once for all workers; tests only read them."""

import pytest

import kerasft


@pytest.fixture(scope="session")
def exported(shared_folder, image_run, text_run):
    """A folder with two exported models, `photos` and `reviews`, one version each."""

    def make(folder):
        kerasft.export(image_run, models_dir=folder, name="photos")
        kerasft.export(text_run, models_dir=folder, name="reviews")

    return shared_folder("exported", make)


@pytest.fixture(scope="session")
def artifact(exported):
    """Returns a function from `images` or `texts` to the folder of an exported version."""
    return lambda kind: exported / {"images": "photos", "texts": "reviews"}[kind] / "1"
