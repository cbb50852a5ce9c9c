"""The JSON of a request is read within limits."""

import pytest
from starlette.exceptions import HTTPException

from kerasft.serving.server.body import parse_object


@pytest.mark.parametrize("text", [b'{"a": [{"b": 1}]}', b'{"a": {"b": [1]}, "c": []}'])
def test_what_is_nested_deeper_than_the_limit_is_refused(text):
    assert parse_object(text, 3)["a"]
    with pytest.raises(HTTPException, match="nested deeper than 2"):
        parse_object(text, 2)


def test_brackets_in_a_text_are_not_nested():
    assert parse_object(b'{"a": "[[[[{{{{"}', 1) == {"a": "[[[[{{{{"}
