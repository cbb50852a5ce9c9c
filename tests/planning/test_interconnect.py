"""The model of communication, and the measured link."""

import pytest

from kerasft.planning.interconnect import (
    Link,
    link_between_devices,
    link_between_hosts,
    measure_loopback,
)
from kerasft.planning.worthwhile import doubled, largest_worthwhile


@pytest.mark.parametrize(
    ("devices", "seconds"), [(1, 0.0), (2, 1.0 + 0.2), (4, 1.5 + 0.6), (100, 1.98 + 19.8)]
)
def test_a_ring_sends_nearly_twice_the_gradient_in_messages_of_every_device(devices, seconds):
    assert Link(1e9, 0.1, "given").reduce_seconds(10**9, devices) == pytest.approx(seconds)


def test_the_loopback_is_measured():
    link = measure_loopback()
    assert link.source == "measured here"
    assert 1e7 < link.bandwidth < 1e12
    assert 0 < link.latency < 0.1


def test_a_given_bandwidth_is_in_gigabytes_per_second():
    assert link_between_hosts(12.5).bandwidth == 12.5e9
    assert link_between_devices(300).bandwidth == 300e9
    assert {link_between_hosts(12.5).source, link_between_devices(300).source} == {"given"}
    assert link_between_hosts(None).source == "typical of 10 Gbit/s Ethernet"


def test_numbers_double_up_to_the_last():
    assert [doubled(last) for last in (1, 2, 6, 8)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]


@pytest.mark.parametrize(
    ("seconds", "largest"),
    [
        ({1: 10, 2: 5, 4: 2.5}, 4),
        ({1: 10, 2: 9, 4: 9.5}, 1),
        ({1: 10, 2: 6, 4: 5.5, 8: 5.4}, 2),
        ({1: 10, 2: 9, 4: 3}, 4),  # a disturbed measurement of two hides no gain
    ],
)
def test_more_are_worthwhile_if_twice_as_many_are_clearly_faster(seconds, largest):
    assert largest_worthwhile(seconds) == largest
