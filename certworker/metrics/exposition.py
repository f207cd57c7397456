"""The text that a scrape gets: what the database tells, how the house itself stands, and what its processes have counted.

A database that does not answer is told of, and keeps nothing else back.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from importlib.metadata import version
from threading import Lock, Thread
from types import MappingProxyType
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from certworker.errors import Unavailable
from certworker.metrics import catalogue
from certworker.metrics.counters import Counters
from certworker.metrics.metric import Metric
from certworker.settings import Seal, SealKind
from certworker.vault.database import DatabaseState
from certworker.vault.readiness import Part
from certworker.vault.store import Store

PATIENCE_SECONDS: Final = 5.0
"""So long is waited for the database: whoever scrapes gives up after ten."""

Text = tuple[bytes, str]
_SOURCES: Final[Mapping[str, str]] = MappingProxyType(
    {"master_key_env": "env", "master_key_credential": "credential", "master_key_label": "hsm"}
)


class Exposition:
    """The text of a process that is open. `state` tells what is in the database, and raises Unavailable where it cannot."""

    def __init__(
        self,
        store: Store,
        state: Callable[[], Text],
        counters: Counters,
        seal: Seal,
        patience: float = PATIENCE_SECONDS,
        writable: Callable[[], Mapping[Part, bool]] = dict,
    ) -> None:
        """`writable` tells which parts can be written to, and does not take long."""
        self._store = store
        self._state = state
        self._counted = counters.collector()
        self._seal = seal
        self._patience = patience
        self._writable = writable
        self._lock = Lock()
        self._asked: Future[tuple[Text, DatabaseState]] | None = None

    def text(self) -> Text:
        """Give the exposition and its content type."""
        told = self._ask_in_time()
        writable: dict[tuple[str, ...], float] = {(part.value,): works for part, works in self._writable().items()}
        stands = [*_stands(self._seal, sealed=False), _family(catalogue.WRITABLE, writable)]
        if told is None:
            return _written([*stands, _one(catalogue.DATABASE_UP, 0.0), _build()], self._counted)
        (text, content_type), standing = told
        families = [*stands, _one(catalogue.DATABASE_UP, 1.0), *_database(standing)]
        return text + _written(families, self._counted)[0], content_type

    def _ask_in_time(self) -> tuple[Text, DatabaseState] | None:
        """Ask the database, in a thread that may take longer than anybody waits; who comes meanwhile gets the same answer."""
        with self._lock:
            answer = self._asked
            if answer is None or answer.done():
                answer = self._asked = Future()
                Thread(target=self._ask, args=(answer,), name="scrape", daemon=True).start()
        try:
            return answer.result(self._patience)
        except (TimeoutError, Unavailable):
            return None

    def _ask(self, answer: "Future[tuple[Text, DatabaseState]]") -> None:
        try:
            with self._store.reading() as reader:
                standing = reader.database_state()
            answer.set_result((self._state(), standing))
        except Exception as error:  # noqa: BLE001  # raised where the answer is waited for
            answer.set_exception(error)


class SealedExposition:
    """The text of a process that waits for its seal to be opened."""

    def __init__(self, counters: Counters, seal: Seal) -> None:
        self._counted = counters.collector()
        self._seal = seal

    def text(self) -> Text:
        """Give the exposition and its content type."""
        return _written([*_stands(self._seal, sealed=True), _build()], self._counted)


class _Families(Collector):
    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families


def _written(families: Sequence[Family], counted: Collector) -> Text:
    registry = CollectorRegistry()
    registry.register(_Families(families))
    registry.register(counted)
    return generate_latest(registry), CONTENT_TYPE_LATEST


def _stands(seal: Seal, *, sealed: bool) -> list[Family]:
    elsewhere = seal.elsewhere
    kind = _SOURCES[elsewhere[0]] if elsewhere else "file" if seal.kind is SealKind.NONE else seal.kind.value
    return [_one(catalogue.SEALED, float(sealed)), _family(catalogue.SEAL_INFO, {(kind,): 1.0})]


def _database(standing: DatabaseState) -> list[Family]:
    return [
        _one(catalogue.DATABASE_SIZE, standing.size_bytes),
        _family(catalogue.DATABASE_SCHEMA, {(standing.schema,): 1.0}),
        _family(catalogue.KEY_POOL, {(kind,): float(count) for kind, count in sorted(standing.spare_keys.items())}),
        _one(catalogue.AUDIT_PENDING, standing.pending_records),
    ]


def _build() -> Family:
    return _family(catalogue.BUILD_INFO, {(version("certworker"),): 1.0})


def _one(metric: Metric, value: float) -> Family:
    return _family(metric, {(): value})


def _family(metric: Metric, values: Mapping[tuple[str, ...], float]) -> Family:
    family = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
