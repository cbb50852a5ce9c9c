"""Exports that are made once for all workers; tests only read them."""

import pytest

import kerasft
from kerasft.modalities import image_decoding
from kerasft.serving import proof
from kerasft.tasks import Labels
from kerasft.tasks.classification import Classification


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


def wrong_resize(image, size, how):
    return image_decoding.resize_image(image[:-3], size, how)


def inject(patch, fault):
    """Makes exports serve a faulty graph: another resize, or names in another order."""
    served = Classification.served_outputs

    def swapped(self, labels, *arguments):
        return served(self, Labels(labels.task, labels.names[::-1]), *arguments)

    if fault == "resize":
        patch.setattr("kerasft.modalities.graph_decoding.resize_image", wrong_resize)
    else:
        patch.setattr(Classification, "served_outputs", swapped)


@pytest.fixture
def faulty_graph(monkeypatch):
    """Returns a function that injects the fault `resize` or `labels` into exports."""
    return lambda fault: inject(monkeypatch, fault)


@pytest.fixture(scope="session")
def faulty(shared_folder, image_run):
    """Returns a function from a fault of `inject` to an export with it, which nothing proved."""

    def make(fault, folder):
        with pytest.MonkeyPatch.context() as patch:
            inject(patch, fault)
            patch.setattr(proof, "prove", lambda *_, **__: SKIPPED)
            kerasft.export(image_run, models_dir=folder, name="photos")

    return lambda fault: shared_folder(f"faulty-{fault}", lambda f: make(fault, f)) / "photos" / "1"


SKIPPED = {
    "examples": 0, "agree": True, "test": "exact", "largest_difference": 0.0, "tolerance": 1e-5,
    "data": "none", "tensorflow": "none",
}  # fmt: skip
