"""The page of metrics tells the truth."""

from pathlib import Path

from certworker.metrics.catalogue import catalogue
from certworker.metrics.page import metrics_page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"


def test_the_page_is_what_is_made_from_the_catalogue() -> None:
    """`python -m certworker.metrics.page > docs/metrics.md` writes it anew; every metric is in it."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == metrics_page()
    assert all(f"| `{metric.series}` |" in page for metric in catalogue())
