"""Metrics: what Prometheus is told. State is the database's truth; what is counted is counted in the processes."""

from certworker.metrics.state import Metrics

__all__ = ["Metrics"]
