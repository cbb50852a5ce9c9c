"""Addresses and times that the server refuses before it starts."""

import pytest
from click.testing import CliRunner

from kerasft.cli import main
from kerasft.errors import SettingError
from kerasft.serving.server.address import listen


def test_an_empty_host_is_not_every_address():
    with pytest.raises(SettingError, match="The host is empty"):
        listen("", 0)


@pytest.mark.parametrize("option", ["--drain", "--poll", "--timeout"])
@pytest.mark.parametrize("value", ["-1", "1e30", "inf", "nan"])
def test_a_time_that_is_none_is_refused(option, value):
    result = CliRunner().invoke(main, ["serve", "nothing", option, value])
    assert result.exit_code == 2
    assert option in result.stderr
