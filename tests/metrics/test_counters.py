"""Counters of processes: what is counted is told, sums never go back, and no flood of labels makes a flood of series."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from time import sleep

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from certworker.cli.counting import CountingFolder
from certworker.errors import SetupError, Unavailable
from certworker.measures import Measure
from certworker.metrics import Metrics
from certworker.metrics.catalogue import catalogue
from certworker.metrics.counters import LONGEST_LABEL, MOST_OTHERS, MOST_VALUES, OTHER, Counters
from certworker.metrics.exposition import Exposition
from certworker.metrics.folder import fold
from certworker.metrics.metric import PREFIX, Kind, Metric, Origin
from certworker.settings import Seal
from certworker.vault.spare_keys import SpareKey
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, open_deployment

Series = dict[str, float]
COUNTED = [metric for metric in catalogue() if metric.origin is Origin.PROCESSES and not metric.dates]


@pytest.fixture
def counters(tmp_path: Path, clock: FakeClock) -> Counters:
    """Count in a folder of the test's own."""
    return Counters(tmp_path, clock)


def told_by(text: bytes) -> Series:
    """Read an exposition: values by name and labels."""
    samples = (sample for family in text_string_to_metric_families(text.decode()) for sample in family.samples)
    return {f"{sample.name}{sorted(sample.labels.items())}": sample.value for sample in samples}


def told(counters: Counters) -> Series:
    """Tell what is scraped of the counters alone."""
    registry = CollectorRegistry()
    registry.register(counters.collector())
    return told_by(generate_latest(registry))


def test_each_measure_is_a_metric_of_the_processes() -> None:
    """The port and the catalogue name the same."""
    counted = {metric.name.removeprefix(PREFIX) for metric in COUNTED}
    assert counted == {measure.value for measure in Measure}


def test_what_is_counted_is_told(counters: Counters, clock: FakeClock) -> None:
    """A counter, a histogram with its buckets added up, and a gauge that is absent until it is known, and dated then."""
    assert not any("hsm_up" in name for name in told(counters))
    counters.count(Measure.ROUND_ITEMS, "renewals", by=3)
    for seconds in (0.002, 0.3, 99.0):
        counters.time(Measure.HTTP_SECONDS, seconds, "vault")
    counters.set(Measure.HSM_UP, 1)
    clock.advance(timedelta(days=1))
    counters.set(Measure.CLOCK_SKEW, 2.5, "database")
    found = told(counters)
    assert found["certworker_round_items_total[('round', 'renewals')]"] == 3
    buckets = {
        le: found[f"certworker_http_request_duration_seconds_bucket[('le', '{le}'), ('plane', 'vault')]"]
        for le in ("0.001", "0.0025", "0.25", "0.5", "10.0", "+Inf")
    }
    assert buckets == {"0.001": 0, "0.0025": 1, "0.25": 1, "0.5": 2, "10.0": 2, "+Inf": 3}
    assert found["certworker_http_request_duration_seconds_count[('plane', 'vault')]"] == 3
    assert found["certworker_http_request_duration_seconds_sum[('plane', 'vault')]"] == pytest.approx(99.302)
    assert found["certworker_hsm_up[]"] == 1
    assert found["certworker_hsm_asked_timestamp_seconds[]"] == START.timestamp()
    measured = found["certworker_clock_skew_measured_timestamp_seconds[('peer', 'database')]"]
    assert measured == (START + timedelta(days=1)).timestamp()


def test_any_text_can_be_told(counters: Counters) -> None:
    """Whatever a name is made of, the rest of the scrape can be read."""
    for text in ('q"uote', "new\nline", "back\\slash", "\u2028\x85\x00\r", "\ud800", "{}", ' a,b="c"'):
        counters.count(Measure.CA_RATE_LIMITED, text)
    assert [value for name, value in told(counters).items() if "rate_limited" in name] == [1] * 7


def test_what_can_be_begins_at_nothing(counters: Counters) -> None:
    """PromQL sees no increase in a series that begins with its first event: each word begins with the first of them."""
    counters.count(Measure.VAULT_REQUESTS, "contoso", "refused")
    found = {name: value for name, value in told(counters).items() if "vault_requests" in name}
    assert sorted(found.values()) == [0, 0, 0, 0, 1]
    assert found["certworker_vault_requests_total[('result', 'refused'), ('vault', 'contoso')]"] == 1


@pytest.mark.parametrize("named", [found for found in COUNTED if found.labels])
def test_a_flood_of_junk_makes_few_series(counters: Counters, named: Metric) -> None:
    """Each label tells some values apart, and all the others are one; a long one is cut."""
    measure = Measure(named.name.removeprefix(PREFIX))
    most = max(MOST_VALUES.get(label, MOST_OTHERS) for label in named.labels)
    for number in range(most + 100):
        labels = [f'{number} junk \n"}}{"x" * 100}' for _ in named.labels]
        match named.kind:
            case Kind.COUNTER:
                counters.count(measure, *labels)
            case Kind.HISTOGRAM:
                counters.time(measure, 1.0, *labels)
            case Kind.GAUGE:
                counters.set(measure, 1.0, *labels)
    series = {
        tuple(sample.labels[label] for label in named.labels)
        for family in counters.collector().collect()
        for sample in family.samples
        if sample.name.startswith(named.name)
    }
    assert len(series) <= (most + 1) * (1 + len(named.born))
    assert tuple(OTHER for _ in named.labels) in series
    assert max(len(text) for labels in series for text in labels) <= LONGEST_LABEL


def test_a_killed_process_has_lost_nothing(tmp_path: Path, clock: FakeClock) -> None:
    """Its counts stay, before and after they are put together with those of others that ended."""
    counters = Counters(tmp_path, clock)
    counters.count(Measure.CLOCK_JUMPS)
    program = (
        "import os, signal, sys; from pathlib import Path; from certworker.metrics.counters import Counters;"
        "from certworker.measures import Measure; counters = Counters(Path(sys.argv[1]));"
        "counters.count(Measure.CLOCK_JUMPS, by=5); counters.time(Measure.RUN_SECONDS, 0.2, 'audit');"
        "counters.set(Measure.CLOCK_SKEW, 2.5, 'database'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path)]) for _ in range(2)]
    assert [process.wait() for process in processes] == [-9, -9]
    before = told(counters)
    assert before["certworker_clock_jumps_total[]"] == 11
    assert before["certworker_clock_skew_seconds[('peer', 'database')]"] == 2.5
    for process in processes:
        fold(tmp_path, process.pid)
        assert told(counters) == before
    assert {found.name for found in tmp_path.glob("*.db")} == {
        f"{kind}_{who}.db" for kind in ("counter", "histogram", "gauge_mostrecent") for who in (os.getpid(), "ended")
    }
    counters.count(Measure.CLOCK_JUMPS)
    assert told(counters)["certworker_clock_jumps_total[]"] == 12


def test_of_two_that_ended_the_later_gauge_counts(tmp_path: Path, clock: FakeClock) -> None:
    """In whichever order they are put together; a file that is just being made is passed over."""
    for folder in ("writing", "ended"):
        (tmp_path / folder).mkdir()
    counters = Counters(tmp_path / "writing", clock)
    for pid, skew in ((7, 1.0), (8, 2.0)):
        counters.set(Measure.CLOCK_SKEW, skew, "database")
        shutil.copy(
            tmp_path / "writing" / f"gauge_mostrecent_{os.getpid()}.db", tmp_path / "ended" / f"gauge_mostrecent_{pid}.db"
        )
        clock.advance(timedelta(seconds=1))
    reading = Counters(tmp_path / "ended", clock)
    (tmp_path / "ended" / "gauge_mostrecent_9.db").touch()
    for pid in (8, 7):
        fold(tmp_path / "ended", pid)
        assert told(reading)["certworker_clock_skew_seconds[('peer', 'database')]"] == 2


def test_an_issuer_is_counted_under_its_first_spelling(counters: Counters) -> None:
    """Policies spell it as they like; of what tells objects apart, the case counts."""
    for name in ("Lets", "LETS", "lets"):
        counters.count(Measure.CA_RATE_LIMITED, name)
        counters.count(Measure.ROUND_ITEMS, name)
    found = told(counters)
    assert [value for name, value in found.items() if "rate_limited" in name] == [3]
    assert [value for name, value in found.items() if "round_items" in name] == [1, 1, 1]


def test_who_ends_unasked_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> None:
    """By role and by how: signals by name, codes, and the seldom ones of both together."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    folder = CountingFolder()
    folder.fell("api", -9)  # nobody counts yet
    folder.make()
    counters = Counters(Path(folder.environment[0][1]), clock)
    for role, code in (("api", -9), ("api", -9), ("ca-sim", 0), *(("worker", code) for code in (-11, 1, 3, -12))):
        folder.fell(role, code)
    prefix = "certworker_process_exits_total"
    found = {name.removeprefix(prefix): value for name, value in told(counters).items() if name.startswith(prefix) and value}
    folder.remove()
    ends = {("SIGKILL", "api"): 2, ("SIGSEGV", "worker"): 1, ("status_1", "worker"): 1, ("other_status", "worker"): 1}
    ends |= {("other_signal", "worker"): 1, ("status_0", "ca-sim"): 1}
    assert found == {f"[('how', '{how}'), ('role', '{role}')]": count for (how, role), count in ends.items()}


def test_sums_never_go_back_while_processes_end(tmp_path: Path, clock: FakeClock) -> None:
    """Whoever is scraped while the counts of others are put together sees each of them once."""
    counters, stopped, seen = Counters(tmp_path, clock), Event(), []
    counters.count(Measure.CLOCK_JUMPS)
    own = f"counter_{os.getpid()}.db"

    def scrape() -> None:
        while not stopped.is_set():
            seen.append(told(counters)["certworker_clock_jumps_total[]"])

    scraping = Thread(target=scrape)
    scraping.start()
    for pid in range(1, 40):
        (tmp_path / "new").write_bytes((tmp_path / own).read_bytes())
        (tmp_path / "new").rename(tmp_path / f"counter_{10_000_000 + pid}.db")
        fold(tmp_path, 10_000_000 + pid)
    stopped.set()
    scraping.join()
    assert seen == sorted(seen)
    assert told(counters)["certworker_clock_jumps_total[]"] == 40


def test_a_folder_without_room_is_told_of(tmp_path: Path) -> None:
    """Rather at the start than later, by the end of the process."""
    with pytest.raises(SetupError, match="have no room in"):
        Counters(tmp_path / "none")


def test_what_is_new_finds_no_room(
    counters: Counters, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not counted, which nobody is refused for and one line tells; the rest goes on, and with room all that is new."""

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    counters.count(Measure.ROUND_ITEMS, "first")
    monkeypatch.setattr(os, "posix_fallocate", full)
    for number in range(12_000):
        counters.count(Measure.CA_REQUESTS, f"{number % 60}", f"{number % 100}", f"{number % 47}")
    counters.count(Measure.ROUND_ITEMS, "first")
    before = told(counters)
    assert before["certworker_round_items_total[('round', 'first')]"] == 2
    assert len(caplog.records) == 1
    monkeypatch.undo()
    counters.count(Measure.ROUND_ITEMS, "second")
    assert told(counters) == before | {"certworker_round_items_total[('round', 'second')]": 1}


def test_a_folder_that_is_gone_keeps_nothing_else_back(tmp_path: Path, deployment: Deployment) -> None:
    """What the database tells is told all the same; so it is where a file was spoilt."""
    (folder := tmp_path / "counted").mkdir()
    counters = Counters(folder)
    exposition = Exposition(deployment.house.store, lambda: (b"", ""), counters, Seal())
    assert "certworker_clock_jumps_total[]" in told_by(exposition.text()[0])
    (folder / "counter_1.db").write_bytes(b"\xff" * 100)
    assert told_by(exposition.text()[0])["certworker_database_up[]"] == 1
    shutil.rmtree(folder)
    assert told_by(exposition.text()[0])["certworker_database_up[]"] == 1


def test_whoever_comes_meanwhile_gets_the_same_answer(deployment: Deployment, counters: Counters) -> None:
    """Two that scrape one service at once ask its database once."""
    asked, going = [], Event()

    def state() -> tuple[bytes, str]:
        asked.append(1)
        assert going.wait(30)
        return b"", ""

    exposition = Exposition(deployment.house.store, state, counters, Seal(), patience=30)
    with ThreadPoolExecutor(2) as threads:
        texts = [threads.submit(exposition.text) for _ in range(2)]
        while (answer := exposition._asked) is None or len(answer._condition._waiters) < 2:  # type: ignore[attr-defined]
            sleep(0.001)
        going.set()
        assert all(told_by(text.result()[0])["certworker_database_up[]"] == 1 for text in texts)
    assert len(asked) == 1


@pytest.fixture
def deployment(tmp_path: Path, clock: FakeClock) -> Iterator[Deployment]:
    """Set up a house with a worker."""
    with open_deployment(tmp_path, clock) as opened:
        yield opened


def test_a_house_tells_how_it_stands(deployment: Deployment, counters: Counters) -> None:
    """Database, seal and version are told beside what the database holds and what was counted."""
    counters.count(Measure.CLOCK_JUMPS)
    with deployment.house.store.writing() as writer:
        waiting = len(writer.pending_records(100))
        for _ in range(2):
            writer.add_pending_record("{}")
        writer.add_spare_key(SpareKey("7" * 32, "RSA-2048", b"sealed", START))
    state = Metrics(deployment.house.store, deployment.house.clock, 100, 500)
    found = told_by(Exposition(deployment.house.store, state.text, counters, Seal()).text()[0])
    assert (found["certworker_database_up[]"], found["certworker_sealed[]"]) == (1, 0)
    assert found["certworker_database_size_bytes[]"] > 100_000
    assert found["certworker_clock_jumps_total[]"] == 1
    assert found["certworker_certificate_series_limit[]"] == 100
    assert found["certworker_seal_info[('kind', 'file')]"] == 1
    assert found["certworker_audit_records_pending[]"] == waiting + 2
    assert found["certworker_spare_keys[('kind', 'RSA-2048')]"] == 1
    assert any(name.startswith("certworker_database_schema_info") for name in found)


def test_a_database_that_does_not_answer_keeps_nothing_else_back(deployment: Deployment, counters: Counters) -> None:
    """It is told, at once or after some patience, and the next scrape does not pile up behind the one that hangs."""
    store, hangs, asked = deployment.house.store, Event(), []

    def refuse() -> tuple[bytes, str]:
        raise Unavailable("The database does not answer.")

    def hang() -> tuple[bytes, str]:
        asked.append(1)
        hangs.wait(20)
        return b"", ""

    counters.count(Measure.CLOCK_JUMPS)
    try:
        for exposition in (Exposition(store, refuse, counters, Seal()), Exposition(store, hang, counters, Seal(), 0.1)):
            for _ in range(2):
                found = told_by(exposition.text()[0])
                assert found.pop("certworker_database_up[]") == 0
                assert found.pop("certworker_clock_jumps_total[]") == 1
                assert found.pop("certworker_sealed[]") == 0
                assert {name.partition("[")[0] for name in found} == {"certworker_seal_info", "certworker_build_info"}
    finally:
        hangs.set()
    assert len(asked) == 1


def test_what_is_broken_is_no_silence_of_the_database(deployment: Deployment, counters: Counters) -> None:
    """A mistake of ours is an error of the scrape, and not told as the database's."""

    def broken() -> tuple[bytes, str]:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        Exposition(deployment.house.store, broken, counters, Seal()).text()


def test_a_left_folder_is_removed_and_one_in_use_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed service has left goes at the next start."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    left = tmp_path / "certworker-counters-left"
    left.mkdir()
    (left / "owner").touch()
    first, second = CountingFolder(), CountingFolder()
    for folder in (first, second):
        folder.make()
    assert not left.exists()
    paths = [Path(dict(folder.environment)["CERTWORKER_COUNTERS"]) for folder in (first, second)]
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o700, 0o700]
    first.ended(1)
    for folder in (first, second):
        folder.remove()
        folder.remove()
    assert not list(tmp_path.iterdir())
