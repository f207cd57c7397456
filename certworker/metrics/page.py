"""The page of all metrics, docs/metrics.md: `python -m certworker.metrics.page > docs/metrics.md` writes it anew."""

import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from certworker.metrics.catalogue import catalogue
from certworker.metrics.metric import Kind, Metric, Origin

_HEAD: Final = """\
# Metrics

What `/metrics` tells, on the port of `[metrics]` (9464 unless it is set otherwise). [monitoring.md](monitoring.md) tells how it
is scraped, [runbooks.md](runbooks.md) what to do about alerts. This page is made from the catalogue in the code.

- Times are absolute, in Unix seconds: `certworker_certificate_not_after_timestamp_seconds - time()` is what is left. Durations
  are seconds. Yes and no are 1 and 0.
- **State** is how things stand at the scrape, read from the database: every instance tells the same, and a restart forgets
  nothing. Where several instances are scraped, take one of the same series: `max by (vault, name, issuer) (...)`.
- **Counted** is what one service has counted since it was started, all its processes together. Over several instances, sum
  it: `sum by (plane) (rate(...))`.
- Series of single certificates are told of the unhealthy ones and of those that expire first, as many as `[metrics]` allows.
  The counts of the fleet have all in them.
- `vault`, `name` and `issuer` are names as they were given. No subject, host in a certificate, serial number or caller is one;
  of revocation lists alone `issuer` is the subject of the CA that signs them.
- What there could be any number of is told apart up to a limit, and is `other` above it: issuers (`[metrics] issuer_series`:
  those in trouble, then the most used; day by day 100), hosts of revocation lists (200), webhooks (100), and each label of what
  is counted (60 values; 100 issuers and webhooks, 400 operations, 1,000 vaults). `Self` and `Unknown`, which are no CA, keep
  their names all the same. Attempts at issuance are told of all issuers together instead: which ones are `other` changes,
  and a counter must not fall.
- What processes have measured keeps its value until it is measured again, for silence says nothing new; a timestamp beside it
  tells when that was, and alerts mind it for a day.
- Of rate budgets nothing is kept in reserve: renewals in the window of their CA's advice are not counted, and what has a
  twentieth of its lifetime left is asked for all the same.
- A counter's known words begin at 0 together, those of issuers within a minute of their being set: `increase()` sees the
  first event.
- Of a histogram there are `_bucket` (with `le`), `_sum` and `_count`.
"""
_ORIGIN: Final = {Origin.DATABASE: "state", Origin.PROCESSES: "counted"}


def metrics_page() -> str:
    """Write the page, in Markdown."""
    topics = groupby(catalogue(), key=lambda metric: metric.topic)
    return "\n".join([_HEAD, *(line for topic, metrics in topics for line in _section(topic, metrics))]).rstrip() + "\n"


def _section(topic: str, metrics: Iterable[Metric]) -> Iterator[str]:
    yield f"## {topic}"
    yield "| metric | kind | labels | what it tells |"
    yield "|---|---|---|---|"
    listed = tuple(metrics)
    yield from map(_row, listed)
    yield ""
    values = {(label, text): None for metric in listed for label, text in metric.values.items()}
    for label, text in values:
        of = ", ".join(f"`{metric.series}`" for metric in listed if metric.values.get(label) == text)
        yield f"- **{label}** of {of}: {text}"
    if values:
        yield ""


def _row(metric: Metric) -> str:
    kind = f"{metric.kind}, {_ORIGIN[metric.origin]}"
    buckets = f" Buckets: {', '.join(f'{bound:g}' for bound in metric.buckets)} s." if metric.kind is Kind.HISTOGRAM else ""
    return f"| `{metric.series}` | {kind} | {', '.join(metric.labels)} | {metric.meaning}{buckets} |"


if __name__ == "__main__":
    sys.stdout.write(metrics_page())
