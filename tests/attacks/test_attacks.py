"""Every attack of `python -m tests.attacks` holds; the quick tier has some of each group."""

from collections import Counter

import pytest

from tests.attacks.attack import Place, faults_of
from tests.attacks.groups import GROUPS

ATTACKS = {
    name: sorted(group.attacks(), key=lambda attack: attack.name)
    for name, group in sorted(GROUPS.items())
}


def parameters() -> list:
    """All attacks, of which some are in the quick tier."""
    found = []
    for name, attacks in ATTACKS.items():
        every = GROUPS[name].every
        for place, attack in enumerate(attacks):
            quick = every and place % every == 0
            marks = () if quick else pytest.mark.slow
            found.append(pytest.param(attack, id=str(attack), marks=marks))
    return found


@pytest.mark.parametrize("attack", parameters())
def test_an_attack_holds(attack, tmp_path, shared):
    assert faults_of(attack, Place(tmp_path, shared)) == []


@pytest.mark.parametrize("group", ATTACKS)
def test_the_names_of_a_group_are_unique(group):
    double = [
        n for n, count in Counter(attack.name for attack in ATTACKS[group]).items() if count > 1
    ]
    assert double == []
    assert {attack.group for attack in ATTACKS[group]} == {group}


def test_there_are_at_least_500_attacks():
    assert sum(map(len, ATTACKS.values())) >= 500
