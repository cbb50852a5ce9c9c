"""What tests of evaluation share."""

import pytest

from kerasft.recipes import resnet_digits as image_recipe
from tests.training.small import fit, image_config


@pytest.fixture(scope="package")
def run(preset, photos, tmp_path_factory):
    """A finished run on images, for tests that only read it."""
    return fit(image_recipe, image_config(preset, photos), tmp_path_factory.mktemp("fit"))
