"""Figures for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Counts of requests and batches.

    Args:
        models: Names of the models.
    """

    def __init__(self, models: Iterable[str]) -> None:
        self._models = set(models)
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "kerasft_requests",
            "Requests for a model, by HTTP status.",
            ("model", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "kerasft_request_seconds",
            "Time from the first byte of a request for a model to its answer.",
            ("model",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._rows = Histogram(
            "kerasft_batch_rows",
            "Rows of a batch that a model computed.",
            ("model",),
            buckets=_ROWS,
            registry=self._registry,
        )
        self._pending = Gauge(
            "kerasft_pending_requests",
            "Requests for a model that are not answered yet.",
            ("model",),
            registry=self._registry,
        )
        self._version = Gauge(
            "kerasft_model_version",
            "Newest loaded version of a model, 0 if none is loaded.",
            ("model",),
            registry=self._registry,
        )

    def observe_batch(self, model: str, rows: int) -> None:
        """Count a batch."""
        self._rows.labels(model).observe(rows)

    def observe_request(self, model: str, status: int, seconds: float) -> None:
        """Count a request; requests for models that do not exist are counted together."""
        known = model if model in self._models else ""
        self._requests.labels(known, str(status)).inc()
        self._seconds.labels(known).observe(seconds)

    def text(self, pending: dict[str, int], versions: dict[str, int]) -> bytes:
        """Return all figures in the text format of Prometheus.

        Args:
            pending: Requests by model that are not answered yet.
            versions: Newest loaded version by model, 0 for none.
        """
        for model, count in pending.items():
            self._pending.labels(model).set(count)
        for model, number in versions.items():
            self._version.labels(model).set(number)
        return generate_latest(self._registry)
