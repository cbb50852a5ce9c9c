"""Errors of processes: each class passes from one to another with its text."""

import pickle

import pytest

from kerasft import errors

ARGUMENTS = {
    errors.BadExamplesError: ({3: "row 3 is empty", 5: "row 5 is empty"},),
    errors.LostProcessError: (2, "the connection broke", "kerasft fit mail --resume"),
}
CLASSES = [
    each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, errors.KerasftError)
]


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_passes_to_another_process(kind):
    error = kind(*ARGUMENTS.get(kind, ("It is full.",)))
    same = pickle.loads(pickle.dumps(error))
    assert (type(same), str(same), vars(same)) == (kind, str(error), vars(error))
