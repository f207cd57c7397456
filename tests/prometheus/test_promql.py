"""The reader of expressions finds their names, and what of them there is not."""

import pytest

from certworker.metrics.catalogue import catalogue
from tests.support.promql import Matcher, Selector, problems, read_names

SOUND = (
    "certworker_certificate_not_after_timestamp_seconds - time() < 86400",
    'sum by (issuer) (certworker_certificates{state="valid"})',
    "sum(rate(certworker_http_requests_total[5m])) by (plane, status)",
    "histogram_quantile(0.9, sum by (le, plane) (rate(certworker_http_request_duration_seconds_bucket[$__rate_interval])))",
    'max by (group) (certworker_scheduler_last_run_failed{group=~"notices|upkeep", instance="$i"}) > bool 0',
    'label_replace(up{job="certworker"}, "host", "$1", "instance", "(.*):.*") and on (host) up',
    'certworker_certificate_info{vault="$vault", name=~"${name:regex}"} offset 1h',
    'ALERTS{alertname="CertworkerCaDown", alertstate="firing"}',
)
WRONG = (
    ("certworker_no_such_metric > 0", "there is no metric certworker_no_such_metric"),
    ("certworker_http_requests", "there is no metric certworker_http_requests"),
    ('certworker_certificates{name="web"}', "certworker_certificates has no label name"),
    ('certworker_certificates{state="broken"}', "certworker_certificates: state is never broken"),
    ("sum by (grant) (certworker_certificates)", "no metric here has a label grant"),
    ('certworker_scheduler_last_run_failed{job=~"notices"} and {x="y"}', "there is no metric without a name"),
)


@pytest.mark.parametrize("expression", SOUND)
def test_what_there_is_has_no_problem(expression: str) -> None:
    """Functions, keywords, durations, strings and variables are no metrics."""
    assert problems(expression, catalogue()) == []


@pytest.mark.parametrize(("expression", "problem"), WRONG)
def test_what_there_is_not_is_named(expression: str, problem: str) -> None:
    """A metric, a label of a condition or a grouping, a value that a label never has."""
    assert problem in problems(expression, catalogue())


def test_conditions_are_read() -> None:
    """Label, operator and value, with braces and quotes in the value."""
    names = read_names("""sum without (a) (x{b=~"}\\"{", c!='d'}[5m]) / ignoring(e) y""")
    assert names.selectors == (Selector("x", (Matcher("b", "=~", '}\\"{'), Matcher("c", "!=", "d"))), Selector("y"))
    assert names.grouped == {"a", "e"}


def test_what_is_not_closed_is_refused() -> None:
    """A brace that is missing is no expression."""
    with pytest.raises(ValueError, match="missing"):
        read_names('up{job="certworker"')
