"""The audit of a dataset: findings, their numbers, and a summary."""

from kerasft.data.audit.dropped import dropped_examples, find_dropped, refuse_dropped
from kerasft.data.audit.steps import (
    audit_examples,
    audit_inputs,
    find_truncated,
    measure_examples,
)
from kerasft.data.audit.summary import summarize

__all__ = [
    "audit_examples",
    "audit_inputs",
    "dropped_examples",
    "find_dropped",
    "find_truncated",
    "measure_examples",
    "refuse_dropped",
    "summarize",
]
