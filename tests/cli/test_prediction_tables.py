"""Tables of predictions that a spreadsheet may open."""

import pytest

from kerasft.cli.prediction_tables import without_formulas


@pytest.mark.parametrize("text", ["=1+2", "+cmd|' /C calc'!A0", "-a", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_formula_gets_an_apostrophe(text):
    assert without_formulas([{"input": text, text: 1}]) == [{"input": f"'{text}", f"'{text}": 1}]


@pytest.mark.parametrize("text", ["-5", "+1.5e3", "a=b", "", "'=1", "good"])
def test_what_is_no_formula_stays(text):
    assert without_formulas([{"input": text}]) == [{"input": text}]
