"""Optimizers and learning-rate schedules."""

from kerasft.training.optimizers.schedules import Schedule, make_optimizer, make_schedule

__all__ = ["Schedule", "make_optimizer", "make_schedule"]
