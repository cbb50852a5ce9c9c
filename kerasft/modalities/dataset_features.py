"""The features of a TFDS dataset, as the settings name them and as their types tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kerasft.errors import DataError, did_you_mean
from kerasft.formatting import option_name


@dataclass(frozen=True)
class DatasetFeatures:
    """Features of a TFDS dataset.

    Attributes:
        dataset: What messages call it.
        by_name: Its features, sorted by name.
        supervised: Its supervised keys: usually an input and the label.
    """

    dataset: str
    by_name: dict[str, Any]
    supervised: list[str]

    def named(self, config: Any, setting: str) -> str | None:
        """Return the feature that a setting names, None where it names none.

        Raises:
            DataError: There is no such feature.
        """
        named: str | None = getattr(config, setting)
        if named is not None and named not in self.by_name:
            raise DataError(
                f"Feature {named!r} not found in tfds:{self.dataset}."
                f"{did_you_mean(named, self.by_name)} Set {option_name(setting)} to one "
                f"of its features: {', '.join(self.by_name)}."
            )
        return named

    def of_kind(self, kind: Any) -> list[str]:
        """Return the names of the features of a class of TFDS."""
        return [name for name, feature in self.by_name.items() if isinstance(feature, kind)]
