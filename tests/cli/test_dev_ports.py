"""The ports of `certworker dev`."""

import tomllib
from pathlib import Path

from certworker.cli.dev import _choose_ports
from certworker.cli.dev_settings import service_settings
from certworker.cli.sockets import free_port
from certworker.settings import Metrics, Server

SAMPLE = Path(__file__).parents[2] / "config/prometheus/prometheus.yml"


def test_the_default_ones_are_those_of_the_samples() -> None:
    """Prometheus finds the metrics of `make run` with the sample as it is; another HTTPS port has them after it."""
    usual = _choose_ports(Server().port)
    is_free = free_port(Metrics().port) == Metrics().port
    assert (usual.metrics == Metrics().port) is is_free
    assert tomllib.loads(service_settings(usual))["metrics"]["port"] == usual.metrics
    assert f'"127.0.0.1:{Metrics().port}"' in SAMPLE.read_text()
    assert _choose_ports(21_000).metrics != Metrics().port
