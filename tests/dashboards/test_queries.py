"""Every query of every dashboard gives something in a real Prometheus, when everything that it is about has happened.

It scrapes two: `certworker dev` as it lives through `life.py`, and what that cannot show in a minute (`aside.py`).
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from math import isnan
from pathlib import Path

import pytest

from tests.dashboards.aside import counted_aside
from tests.dashboards.life import living, play
from tests.dashboards.shown import FILES, LABEL_VALUES, Query, filled, queries, read
from tests.support.prometheus import Prometheus, Series, running_prometheus
from tests.support.softhsm import SoftToken

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(300),
    pytest.mark.system("prometheus"),
    pytest.mark.system("softhsm2-util"),
]
SAMPLES = Path(__file__).parents[2] / "config/prometheus"
JOBS = ("certworker", "aside")
ALL = {"vault": ".*", "issuer": ".*", "__rate_interval": "5m"}
SECONDS = 30.0


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, soft_token: SoftToken) -> Iterator[Prometheus]:
    """Give a Prometheus that has seen everything, and whose alerts fire as soon as they may."""
    folder = tmp_path_factory.mktemp("seen")
    impatient, settings = folder / "alerts.yml", folder / "prometheus.yml"
    rules = (SAMPLES / "alerts.yml").read_text().splitlines(keepends=True)
    impatient.write_text("".join(line for line in rules if "  for: " not in line))
    with ExitStack() as stack:
        life = stack.enter_context(living(folder))
        aside = stack.enter_context(counted_aside(folder / "aside", soft_token.settings))
        settings.write_text(hurried((SAMPLES / "prometheus.yml").read_text(), life.address, aside))
        found = stack.enter_context(running_prometheus(folder / "prometheus", settings))
        play(life)
        deadline = time.monotonic() + SECONDS
        while not found.ask('ALERTS{alertstate="firing", alertname="CertworkerCaDown"}'):
            assert time.monotonic() < deadline, found.rules()
            time.sleep(0.5)
        yield found


def hurried(sample: str, live: str, aside: str) -> str:
    """Let the sample's settings scrape each second, from where this service is; and the second one with it."""
    changes = {"127.0.0.1:9464": live, "_interval: 30s": "_interval: 1s"}
    for before, after in changes.items():
        assert before in sample
        sample = sample.replace(before, after)
    return f'{sample}\n  - job_name: aside\n    static_configs:\n      - targets: ["{aside}"]\n'


def answers(prometheus: Prometheus, query: Query) -> list[Series]:
    """Ask for all, and of one certificate after the other until there is something; what is no number is nothing."""
    certificates: list[dict[str, str]] = [{}]
    if "$name" in query.expression:
        known = prometheus.ask("group by (vault, name) (certworker_certificate_ready)")
        certificates = [{label: series.labels[label] for label in ("vault", "name")} for series in known]
    for job in JOBS:
        for certificate in certificates:
            values = {**ALL, "job": job, **certificate}
            found = [series for series in prometheus.ask(filled(query.expression, values)) if not isnan(series.value)]
            if found:
                return found
    return []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_panel_shows_something(file: Path, prometheus: Prometheus) -> None:
    """Each query gives a number at least, with the labels that its legend names."""
    wrong = []
    for query in queries(file):
        found = answers(prometheus, query)
        lacking = [label for label in query.labels if not all(label in series.labels for series in found)]
        if not found or lacking:
            wrong.append(f"{query.panel}: {f'no label {lacking}' if lacking else 'nothing'}: {query.expression}")
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_variable_has_something_to_choose(file: Path, prometheus: Prometheus) -> None:
    """Deployments, vaults, issuers and certificates are found in what was scraped."""
    for variable in read(file)["templating"]["list"]:
        if variable["type"] != "query":
            continue
        found = LABEL_VALUES.fullmatch(variable["query"]["query"])
        assert found
        selector = filled(found["selector"], {"job": "certworker", "vault": "dev"})
        assert prometheus.values_of(found["label"], selector), variable["name"]


def test_both_are_scraped_by_the_sample(prometheus: Prometheus) -> None:
    """The job has the name that the alerts ask for, and its target is up."""
    assert {series.labels["job"] for series in prometheus.ask("up == 1")} >= set(JOBS)
    assert prometheus.rules()
    assert all(rule["health"] == "ok" for rule in prometheus.rules())


def test_alerts_are_marked_on_every_dashboard(prometheus: Prometheus) -> None:
    """The annotation's query gives what fires, with the labels that its text is made of."""
    for file in FILES:
        (annotation,) = read(file)["annotations"]["list"]
        found = prometheus.ask(annotation["expr"])
        assert {"CertworkerCaDown", "CertworkerRevokedInUse", "CertworkerNoticesDead"} <= {
            series.labels["alertname"] for series in found
        }
