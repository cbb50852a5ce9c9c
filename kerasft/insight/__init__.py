"""Pictures and words about runs and searches, from their records alone."""

from kerasft.insight.curves import plot_curves
from kerasft.insight.searches import importance, plot_search

__all__ = ["importance", "plot_curves", "plot_search"]
