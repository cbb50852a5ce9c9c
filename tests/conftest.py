"""Tiny real presets, made once a test session and loaded through the real path."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import pytest

from kerasft.testing import FAMILIES, tiny_preset


@pytest.fixture(scope="session")
def preset(tmp_path_factory):
    """Returns a function from the name of a family to the folder of its tiny preset."""
    made = {}

    def get(family: str) -> str:
        if family not in made:
            made[family] = tiny_preset(family, tmp_path_factory.mktemp("presets") / family)
        return made[family]

    return get


@pytest.fixture(params=sorted(FAMILIES))
def family(request):
    return request.param
