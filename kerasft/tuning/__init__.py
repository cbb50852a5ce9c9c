"""Hyperparameter search: space, oracles of KerasTuner, trials that can be resumed."""

from kerasft.tuning.results import Search, Trial, load_search, write_search_report
from kerasft.tuning.tune import tune

__all__ = ["Search", "Trial", "load_search", "tune", "write_search_report"]
