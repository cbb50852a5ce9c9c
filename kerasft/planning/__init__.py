"""Predictions beyond this machine: fits on many devices, searches on many workers."""

from kerasft.planning.fit_plan import FitPlan, plan_fit
from kerasft.planning.search_plan import SearchPlan, plan_search

__all__ = ["FitPlan", "SearchPlan", "plan_fit", "plan_search"]
