"""Work in threads."""

import itertools
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from kerasft.threads import cores, in_threads, use_batch_scheduling


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


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="a policy of Linux")
@pytest.mark.parametrize("name", ["SCHED_OTHER", "SCHED_IDLE"])
def test_batch_scheduling_is_inherited_and_replaces_no_chosen_policy(name):
    policy = getattr(os, name)

    def policies():
        os.sched_setscheduler(0, policy, os.sched_param(0))
        use_batch_scheduling()
        with ThreadPoolExecutor(1) as started:
            return os.sched_getscheduler(0), started.submit(os.sched_getscheduler, 0).result()

    before = os.sched_getscheduler(0)
    with ThreadPoolExecutor(1) as apart:
        expected = os.SCHED_BATCH if name == "SCHED_OTHER" else policy
        assert apart.submit(policies).result() == (expected, expected)
    assert os.sched_getscheduler(0) == before
