"""Exported models for the tests of the server."""

import pytest

import kerasft


@pytest.fixture(scope="session")
def exported(shared_folder, image_run, text_run):
    """A folder with two exported models, `photos` and `reviews`, one version each."""

    def make(folder):
        kerasft.export(image_run, models_dir=folder, name="photos")
        kerasft.export(text_run, models_dir=folder, name="reviews")

    return shared_folder("exported", make)
