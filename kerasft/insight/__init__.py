"""Pictures and words about runs and searches, from their records alone."""

from kerasft.insight.commands import fit_command
from kerasft.insight.comparison import best_group, compare
from kerasft.insight.curves import plot_curves, plot_overlaid
from kerasft.insight.diagnosis import clearly_wrong, diagnose, hopeless
from kerasft.insight.facts import SCORES, Facts, read_facts
from kerasft.insight.report import write_report
from kerasft.insight.search_report import search_report
from kerasft.insight.searches import importance, plot_search

__all__ = [
    "SCORES",
    "Facts",
    "best_group",
    "clearly_wrong",
    "compare",
    "diagnose",
    "fit_command",
    "hopeless",
    "importance",
    "plot_curves",
    "plot_overlaid",
    "plot_search",
    "read_facts",
    "search_report",
    "write_report",
]
