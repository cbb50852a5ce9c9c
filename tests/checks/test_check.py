"""`kerasft.check` and `kerasft check`."""

import shutil

import pytest

import kerasft
from kerasft.errors import SettingError


@pytest.fixture
def leaky(pets):
    """Pictures of which most of the test split is in the training split."""
    for count in range(5):
        for name in ("cat", "dog"):
            shutil.copy(pets / f"train/{name}/{count}.png", pets / f"test/{name}/{count}.png")
    return pets


def test_a_check_has_findings_and_a_short_text(leaky):
    found = kerasft.check("resnet_digits", dataset=str(leaky), timing=False, progress=False)
    assert [x.name for x in found.findings] == ["duplicates", "small_test"]
    assert not found.ok
    assert repr(found) == "<Check: 1 error, 0 warnings, 1 note>"


def test_a_mistyped_setting_is_refused():
    with pytest.raises(SettingError, match="epochs"):
        kerasft.check("resnet_digits", epoch=1)
