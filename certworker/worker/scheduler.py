"""The scheduler only wakes: APScheduler calls the rounds, and nothing that is due lives in a job."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event, Thread
from time import monotonic

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from certworker.clock import Clock
from certworker.errors import CertworkerError
from certworker.measures import NO_MEASURES, Measure, Measures
from certworker.worker.rounds import Rounds

WATCH_SECONDS = 5.0
MOST_DRIFT_SECONDS = 2.0
"""How far the wall clock may move against the monotonic one in a watch before the jobs are armed anew."""

_log = logging.getLogger(__name__)


class Scheduler:
    """Wakes the rounds every `tick_seconds`, in `parallel` threads side by side: the claims keep them apart."""

    def __init__(self, rounds: list[Rounds], clock: Clock, tick_seconds: float, measures: Measures = NO_MEASURES) -> None:
        self._rounds = rounds
        self._clock = clock
        self._tick_seconds = tick_seconds
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(max(len(rounds), 1))},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            timezone="UTC",
        )
        self._watch = Watch(clock, self._arm, measures)

    def start(self) -> None:
        """Begin to wake; first, what a killed process of this machine had begun is set free."""
        for rounds in self._rounds[:1]:
            rounds.take_over()
        self._scheduler.start()
        self._arm()
        self._watch.start()

    def stop(self) -> None:
        """Wake no more, and wait for the rounds that are under way."""
        self._watch.stop()
        self._scheduler.shutdown(wait=True)

    def _arm(self) -> None:
        for number, rounds in enumerate(self._rounds):
            self._scheduler.add_job(
                self._wake,
                "interval",
                args=(rounds,),
                id=f"rounds-{number}",
                seconds=self._tick_seconds,
                next_run_time=self._clock(),
                replace_existing=True,
            )

    def _wake(self, rounds: Rounds) -> None:
        try:
            rounds.run_due(self._clock())
        except CertworkerError as error:
            rounds.troubles.tell("The round failed, and is tried again at the next tick", error, self._clock())


class Watch:
    """Looks whether the wall clock jumps: APScheduler would sleep until the old time comes round again."""

    def __init__(self, clock: Clock, rearm: Callable[[], None], measures: Measures = NO_MEASURES) -> None:
        self._clock = clock
        self._rearm = rearm
        self._measures = measures
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="clock-watch", daemon=True)
        self._offset = self._measure()

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()
        self._thread.join()

    def look(self) -> None:
        """Compare the clocks once, and arm the jobs anew where they drifted apart."""
        offset = self._measure()
        if abs((offset - self._offset).total_seconds()) > MOST_DRIFT_SECONDS:
            _log.warning("The wall clock jumped by %+.0f s; the jobs are armed anew.", (offset - self._offset).total_seconds())
            self._measures.count(Measure.CLOCK_JUMPS)
            self._rearm()
        self._offset = offset

    def _measure(self) -> timedelta:
        return self._clock() - datetime.min.replace(tzinfo=self._clock().tzinfo) - timedelta(seconds=monotonic())

    def _run(self) -> None:
        while not self._stopped.wait(WATCH_SECONDS):
            self.look()
