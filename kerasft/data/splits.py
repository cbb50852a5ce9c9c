"""Missing splits, split off the training set.

Splits depend only on the contents of the examples and the seed, not on the order of files or the
machine. Adding examples moves few of the others to another split.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from kerasft.config import Config
from kerasft.data.examples import SPLITS, Examples
from kerasft.data.label_encoding import known_labels
from kerasft.errors import DataError
from kerasft.tasks import task_of


def split_seed(config: Config) -> int:
    """Return the seed of the splits: `split_seed`, by default `seed`."""
    return config.seed if config.split_seed is None else config.split_seed


def make_splits(splits: Mapping[str, Examples], config: Config) -> dict[str, Examples]:
    """Keep the given splits and split the missing ones off the training set.

    Splits are stratified by class, by label set, or by decile of a numeric target. Exact
    duplicates stay in the same split. Every label keeps at least one training example.

    Args:
        splits: Examples of `train`, and of `validation` and `test` if the dataset has them.
        config: Settings; `split_seed` (or `seed`), `test_fraction`, `validation_fraction` and
            `task` are used.

    Returns:
        Examples of all three splits.

    Raises:
        DataError: There is no training split, a given split is empty, or there are too few training
            examples to split.
    """
    if not splits.get("train"):
        received = ", ".join(splits) or "none"
        raise DataError(
            f"{config.dataset.source or 'The data'} has no training split (splits: {received}). "
            "Name it with `train_split`."
        )
    empty = [name for name, part in splits.items() if not part]
    if empty:
        raise DataError(
            f"The {empty[0]} split of {config.dataset.source or 'the data'} has no examples. "
            "Add some, or leave the split out."
        )
    made = dict(splits)
    for name, fraction in (
        ("test", config.test_fraction),
        ("validation", config.validation_fraction),
    ):
        if name in made:
            continue
        taken = _draw(made["train"], fraction * len(splits["train"]), config, name)
        if not taken:
            raise DataError(_too_few(splits["train"], name, fraction, config))
        rest = sorted(set(range(len(made["train"]))) - taken)
        made[name] = made["train"].select(sorted(taken))
        made["train"] = made["train"].select(rest)
    return {name: made[name] for name in SPLITS}


def _too_few(examples: Examples, name: str, fraction: float, config: Config) -> str:
    """Return the message that no example can be split off for a split.

    Without duplicates, one example for each class is missing, and no fraction helps.
    """
    total, distinct = len(examples), len(set(examples.content_hashes))
    if distinct < total:
        few = f"distinct training examples ({distinct} of {total})"
        actions = f"Add examples, raise `{name}_fraction`, or provide"
    else:
        few, actions = f"training examples ({total})", "Add examples, or provide"
    hint = task_of(config.task).hint_at_other_task(examples.labels or [])
    return (
        f"Too few {few} to split off {fraction:.0%} for {name} and keep one of each class for "
        f"training. {actions} a {name} split{hint}."
    )


def limit_examples(
    splits: Mapping[str, Examples], config: Config
) -> tuple[dict[str, Examples], list[str]]:
    """Return the part of the examples that the settings ask for, and a note about it.

    It is stratified like the splits. Each label keeps an example in every split that it has, and in
    those that will be split off. The part depends on the seed and on the origins of the examples,
    not on their contents: files that are left out are not read.

    Args:
        splits: Examples by split.
        config: Settings; `fraction`, `max_examples`, `split_seed` (or `seed`) and `task` are used.
    """
    total = sum(map(len, splits.values()))
    share = config.max_examples / total if config.max_examples and total else config.fraction
    if share >= 1:
        return dict(splits), []
    made = len(SPLITS) - len(splits)
    found = {}
    for name, part in splits.items():
        chosen = _limited(part, share, config, 1 + made * (name == "train"))
        found[name] = part.select(sorted(chosen), dropped=part.dropped)
    left = sum(map(len, found.values()))
    return found, [f"For a quick try, {left:,} of {total:,} examples are used."]


def _limited(examples: Examples, share: float, config: Config, least: int) -> set[int]:
    """Return the indices of a fraction of the examples, with so many of every label at least."""
    values, task = known_labels(examples), task_of(config.task)

    def place(index: int) -> bytes:
        return hashlib.sha256(f"{split_seed(config)}:{examples.origins[index]}".encode()).digest()

    order = sorted(range(len(examples)), key=place)
    taken: set[int] = set()
    counts: Counter[Any] = Counter()
    for index in order if task.has_classes else ():
        names = _names(values[index])
        if any(counts[name] < least for name in names):
            taken.add(index)
            counts.update(names)
    strata = task.strata([(index,) for index in order], values)
    quotas = _quotas({key: len(part) for key, part in strata.items()}, share * len(examples))
    for key, part in strata.items():
        members = sorted((index for (index,) in part), key=lambda index: index not in taken)
        taken.update(members[: quotas[key]])
    return taken


def _draw(examples: Examples, wanted: float, config: Config, name: str) -> set[int]:
    """Return the indices of about `wanted` examples, sampled stratum by stratum."""
    groups = _groups(examples, f"{split_seed(config)}:{name}")
    values = known_labels(examples)
    task = task_of(config.task)
    reserved = _reserve(groups, values) if task.has_classes else set()
    strata = task.strata(groups, values)
    quotas = _quotas({key: sum(map(len, part)) for key, part in strata.items()}, wanted)
    taken: set[int] = set()
    missing = 0
    for key, part in strata.items():
        left = quotas[key]
        for group in part:
            if group[0] not in reserved and len(group) <= left:
                taken.update(group)
                left -= len(group)
        missing += left
    # Where duplicates or rare classes keep a stratum below its quota, others make up for it.
    for group in groups if missing else []:
        fits = len(group) <= missing and len(taken) + len(group) < len(examples)
        if fits and group[0] not in reserved and group[0] not in taken:
            taken.update(group)
            missing -= len(group)
    return taken


def _groups(examples: Examples, salt: str) -> list[tuple[int, ...]]:
    """Return groups of indices of identical examples, in an order determined by the salt."""
    by_hash: dict[str, list[int]] = defaultdict(list)
    for index, content in enumerate(examples.content_hashes):
        by_hash[content].append(index)

    def order(content: str) -> bytes:
        return hashlib.sha256(f"{salt}:{content}".encode()).digest()

    return [tuple(by_hash[content]) for content in sorted(by_hash, key=order)]


def _names(value: Any) -> Iterable[Any]:
    return value if isinstance(value, tuple) else (value,)


def _reserve(groups: list[tuple[int, ...]], values: list[Any]) -> set[int]:
    """Return the first index of each group that must stay in training, to keep every label."""
    counts = Counter(name for group in groups for i in group for name in _names(values[i]))
    first: dict[Any, tuple[int, ...]] = {}
    for group in groups:
        for name in {name for i in group for name in _names(values[i])}:
            first.setdefault(name, group)
    reserved: set[int] = set()
    covered: set[Any] = set()
    for name in sorted(counts, key=lambda name: (counts[name], str(name))):
        if name not in covered:
            group = first[name]
            reserved.add(group[0])
            covered |= {other for i in group for other in _names(values[i])}
    return reserved


def _quotas(sizes: dict[Any, int], wanted: float) -> dict[Any, int]:
    """Distribute round(wanted) over strata in proportion to their sizes (largest remainder)."""
    total = sum(sizes.values())
    exact = {key: wanted * size / total for key, size in sizes.items()}
    quotas = {key: math.floor(value) for key, value in exact.items()}
    left = max(round(wanted), 1) - sum(quotas.values())
    by_remainder = sorted(exact, key=lambda key: (quotas[key] - exact[key], -sizes[key], str(key)))
    for key in by_remainder[:left]:
        quotas[key] += 1
    return quotas
