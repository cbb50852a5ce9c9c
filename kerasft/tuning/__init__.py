"""Search over settings: space, oracles of KerasTuner, trials that survive a kill."""

from kerasft.tuning.results import Search, Trial, load_search, write_search_report
from kerasft.tuning.tune import tune

__all__ = ["Search", "Trial", "load_search", "tune", "write_search_report"]
