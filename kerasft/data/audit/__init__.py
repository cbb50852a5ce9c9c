"""The audit of a dataset: findings, their numbers, and a summary."""

from kerasft.data.audit.steps import audit_examples, audit_inputs, measure_examples
from kerasft.data.audit.summary import summarize

__all__ = ["audit_examples", "audit_inputs", "measure_examples", "summarize"]
