"""Diagnosis, comparison, charts and reports of runs and searches, read from their files alone."""

from kerasft.insight.commands import fit_command
from kerasft.insight.comparison import (
    best_group,
    compare,
    seeds_of_settings,
    why_incomparable,
)
from kerasft.insight.curves import plot_curves, plot_overlaid
from kerasft.insight.diagnosis import clearly_wrong, diagnose, why_unrecoverable
from kerasft.insight.facts import Facts, read_facts
from kerasft.insight.learning_rate_curve import LearningRateCurve, plot_rates, suggest
from kerasft.insight.notebook import run_html, search_html
from kerasft.insight.report import write_report
from kerasft.insight.search_charts import importance, plot_search
from kerasft.insight.search_report import search_report

__all__ = [
    "Facts",
    "LearningRateCurve",
    "best_group",
    "clearly_wrong",
    "compare",
    "diagnose",
    "fit_command",
    "importance",
    "plot_curves",
    "plot_overlaid",
    "plot_rates",
    "plot_search",
    "read_facts",
    "run_html",
    "search_html",
    "search_report",
    "seeds_of_settings",
    "suggest",
    "why_incomparable",
    "why_unrecoverable",
    "write_report",
]
