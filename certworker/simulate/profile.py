"""What a run spent its time on."""

from collections.abc import Iterator
from contextlib import contextmanager
from cProfile import Profile
from pathlib import Path
from pstats import SortKey, Stats
from typing import Final

from certworker.errors import SettingsError

LINES: Final = 40


@contextmanager
def profiled(path: Path) -> Iterator[None]:
    """Write a profile of this process, as text: the functions by their own time, and by the time of all that they call.

    A run that fails has one too. It takes about twice as long with it. Raises SettingsError where the file cannot be written.
    """
    try:
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"The profile {path} cannot be written: {error.strerror}.") from error
    with file:
        profile = Profile()
        try:
            with profile:
                yield
        finally:
            stats = Stats(profile, stream=file)
            for key in (SortKey.TIME, SortKey.CUMULATIVE):
                stats.sort_stats(key).print_stats(LINES)
