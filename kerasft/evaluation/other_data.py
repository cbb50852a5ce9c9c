"""Another dataset than that of a run, with the same classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator
from typing import Any

from kerasft.config import Config, without_foreign_columns
from kerasft.data import Examples, column_names, read_dataset, stream_table
from kerasft.dataset import Dataset
from kerasft.evaluation.run_answers import part_size
from kerasft.modalities import modality_of

Parts = Callable[[], Iterator[Examples]]  # reads or selects the parts of a dataset


def as_dataset(config: Config, source: Any) -> Dataset:
    """Return a source as a dataset with the columns of the settings; a dataset is unchanged."""
    if isinstance(source, Dataset):
        return source
    return dataclasses.replace(config.dataset.without_splits(), source=source)


def other_examples(
    config: Config, other: Dataset, given: Collection[str], *, pairs: bool
) -> tuple[Config, Examples]:
    """Return the settings for another dataset, and all of it or its test split.

    Its columns are called as in `config`. Of those that are not given, one that the recipe calls so
    in its own data is found by its usual names where this dataset lacks it.

    Args:
        config: Settings of the model.
        other: The dataset.
        given: Column settings that the caller gives.
        pairs: Whether the model reads pairs of texts.

    Raises:
        DataError: The dataset cannot be read, or has inputs of another form.
    """
    config = _settings_of(config, other, given)
    parts = read_dataset(config)
    for part in parts.values():
        modality_of(config).check_inputs(part.inputs, str(other), pairs=pairs)
    if "test" in parts:
        return config, parts["test"]
    return config, Examples(
        [item for part in parts.values() for item in part.inputs],
        [label for part in parts.values() for label in part.labels or []],
        [origin for part in parts.values() for origin in part.origins],
    )


def other_parts(
    config: Config, other: Dataset, given: Collection[str], *, pairs: bool
) -> tuple[Config, Parts]:
    """Return what `other_examples` returns, in parts that are prepared one after the other.

    A table file without splits is read part by part, again for every call.
    """
    found, size = _settings_of(config, other, given), part_size(config)
    if stream_table(found, size) is None:
        found, whole = other_examples(config, other, given, pairs=pairs)
        starts = range(0, len(whole), size)
        rows = [range(start, min(start + size, len(whole))) for start in starts]
        return found, lambda: (whole.select(each) for each in rows)

    def read() -> Iterator[Examples]:
        for part in stream_table(found, size) or ():
            modality_of(found).check_inputs(part.inputs, str(other), pairs=pairs)
            yield part

    return found, read


def _settings_of(config: Config, other: Dataset, given: Collection[str]) -> Config:
    config = dataclasses.replace(config, dataset=other, drop_bad=False)
    return without_foreign_columns(config, column_names(other), given=given)
