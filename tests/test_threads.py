"""Work in threads."""

import itertools
import threading

import pytest

from kerasft.threads import cores, in_threads


def test_results_come_in_order():
    done = threading.Event()

    def late_first(number):
        if number == 0 and cores() > 1:
            assert done.wait(10)
        if number == 1:
            done.set()
        return number * 2

    assert list(in_threads(late_first, range(20))) == [2 * number for number in range(20)]


def test_few_items_are_begun_ahead():
    begun = []
    found = in_threads(begun.append, itertools.count())
    next(found)
    assert 1 <= len(begun) <= 8 * cores()
    found.close()


def test_an_error_is_raised_where_its_result_is_due():
    def fail_at_two(number):
        if number == 2:
            raise ValueError("two")
        return number

    found = in_threads(fail_at_two, range(5))
    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(found)
