"""The dashboards are what their descriptions say, ask for what there is, and lead to where they say."""

import re
from pathlib import Path

import pytest

from certworker.metrics.catalogue import catalogue
from certworker.metrics.metric import Kind
from dashboards.build import dashboard, dashboards, whole
from tests.dashboards.shown import FILES, ROOT, queries, read
from tests.support.promql import problems, read_names

ALERTS = ROOT / "config/prometheus/alerts.yml"
each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def test_the_files_are_what_is_made() -> None:
    """Nobody changed one by hand, or forgot `make dashboards`."""
    assert {path: path.read_text() for path in FILES} == dict(dashboards())


@each_file
def test_what_is_asked_for_is_in_the_catalogue(file: Path) -> None:
    """Each metric, each label, and each value of a label that is named."""
    found = [(query.panel, problem) for query in queries(file) for problem in problems(query.expression, catalogue())]
    assert not found


@each_file
def test_a_counter_is_shown_by_how_it_grows(file: Path) -> None:
    """What is counted since some start says nothing: it stands in a rate or an increase, over a range."""
    growing = {metric.series for metric in catalogue() if metric.kind is not Kind.GAUGE}
    for query in queries(file):
        for found in re.finditer(r"certworker_\w+", query.expression):
            if {found[0], re.sub("_(bucket|sum|count)$", "", found[0])} & growing:
                assert re.search(r"(rate|increase)\($", query.expression[: found.start()]), query
                assert re.match(r"\{[^}]*\}\[\$?\w+\]", query.expression[found.end() :]), query


@each_file
def test_a_time_is_shown_by_how_far_it_is_away(file: Path) -> None:
    """What was is told by its age, what comes by how long it takes till then; or as a date, or beside another time."""
    for query in queries(file):
        times = re.findall(r"certworker_(\w+)_timestamp_seconds", query.expression)
        if len(times) != 1 or query.expression.startswith("1000 * "):
            continue
        was = re.search("since|last_run|oldest|checked|not_before|asked|measured", times[0])
        assert ("time() - " in query.expression, " - time()" in query.expression) == (bool(was), not was), query


def test_every_metric_is_on_a_dashboard() -> None:
    """What is counted is shown."""
    asked = {
        selector.series for file in FILES for query in queries(file) for selector in read_names(query.expression).selectors
    }
    shown = {re.sub("_(bucket|sum|count)$", "", series) for series in asked}
    assert {metric.series for metric in catalogue()} - shown == set()


@each_file
def test_a_dashboard_can_be_imported_anywhere(file: Path) -> None:
    """No data source of somebody's own; each panel tells what it shows, has an id of its own, and stands beside the others."""
    text, panels = file.read_text(), read(file)["panels"]
    assert set(re.findall(r'"uid": "([^"]*)"', text)) == {read(file)["uid"], "${datasource}"}
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or len(panel["description"]) > 20, panel["title"]


@each_file
def test_links_lead_somewhere(file: Path) -> None:
    """Every link to the runbooks is to an alert's section, and every link to a dashboard to one that there is."""
    alerts = {found.lower() for found in re.findall(r"alert: (\w+)", ALERTS.read_text())}
    assert set(re.findall(r"\$\{runbooks\}#(\w+)", file.read_text())) <= alerts
    known = {read(file)["uid"] for file in FILES}
    assert set(re.findall(r'"/d/([\w-]+)', file.read_text())) <= known
    assert len(known) == len(FILES)


def test_a_metric_that_there_is_none_of_is_refused() -> None:
    """The one who writes a description is told, and not who looks at an empty panel."""
    with pytest.raises(ValueError, match="certworker_certificates_total"):
        whole("sum(certworker_certificates_total)", (), only=False)


def test_what_every_query_needs_is_put_in() -> None:
    """The choices of the page that a metric has labels for; what all processes tell alike counts once."""
    state = 'max without (instance) (certworker_certificates{job="$job", vault=~"$vault", state="revoked"})'
    assert whole('sum(certworker_certificates{state="revoked"})', ("vault",), only=False) == f"sum({state})"
    counted = 'sum by (result) (rate(certworker_sign_ins_total{job="$job"}[5m]))'
    assert whole("sum by (result) (rate(certworker_sign_ins_total[5m]))", ("vault",), only=False) == counted
    stored = 'max without (instance) (increase(certworker_issuance_attempts_total{job="$job", vault="$vault"}[1h]))'
    assert whole("increase(certworker_issuance_attempts_total[1h])", ("vault",), only=True) == stored
    chosen = 'max without (instance) (certworker_crl_stale{job="$job", issuer=~".*"})'
    assert whole('certworker_crl_stale{issuer=~".*"}', ("issuer",), only=False) == chosen
    assert whole("@certworker_sealed", (), only=False) == 'certworker_sealed{job="$job"}'


def test_a_kind_of_panel_that_there_is_none_of_is_refused() -> None:
    """As is a description that lacks something."""
    strange = {"title": "x", "kind": "pie", "tells": "x", "size": [4, 4], "queries": []}
    page = {"uid": "x", "title": "x", "tells": "x", "shows": "1h", "row": [{"title": "x", "panel": [strange]}]}
    with pytest.raises(KeyError, match="pie"):
        dashboard(page)
