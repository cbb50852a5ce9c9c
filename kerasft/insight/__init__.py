"""Pictures and words about runs, from their records alone."""

from kerasft.insight.curves import plot_curves

__all__ = ["plot_curves"]
