"""Virtual time: it moves when it is told to, and the worker's clock can be wrong."""

from datetime import datetime, timedelta


class SimulatedClock:
    """The true time of a simulation, which the CA goes by."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def __call__(self) -> datetime:
        """Tell the time."""
        return self._at

    def move(self, at: datetime) -> None:
        """Let time go on to `at`; never back."""
        self._at = max(self._at, at)


class WorkersClock:
    """The clock of the worker's machine: the true time, and how far it is off."""

    def __init__(self, true: SimulatedClock) -> None:
        self._true = true
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        """Tell the time that the machine takes it for."""
        return self._true() + self.ahead

    def true(self, at: datetime) -> datetime:
        """Tell when it truly is what this clock calls `at`."""
        return at - self.ahead
