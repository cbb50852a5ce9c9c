"""What attacks share, made once for all workers."""

import pytest

from tests.attacks.shared import make_shared


@pytest.fixture(scope="session")
def shared(shared_folder):
    """Returns the function of `Place.shared`: from a name to the path of what was made."""
    return make_shared(shared_folder)
