"""Progress on anything that takes a while: shown in place on a terminal's standard error, and gone when it is done.

Elsewhere nothing is shown: a pipe, a log and a dumb terminal get what was asked for, and no more.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from itertools import cycle
from threading import Event, Thread
from time import monotonic
from typing import BinaryIO, Final, NamedTuple, TextIO

from certworker.cli.output import plain

DELAY_SECONDS: Final = 0.7
"""What is done sooner shows nothing: a picture that flashes up tells nobody anything."""
REFRESH_SECONDS: Final = 0.1
BAR_WIDTH: Final = 24
_DUMB: Final = ("dumb", "unknown", "")
_shown: ContextVar[bool] = ContextVar("shown", default=False)


def is_animated(stream: TextIO) -> bool:
    """Whether a stream is a terminal on which a picture can be drawn anew."""
    return stream.isatty() and os.environ.get("TERM", "") not in _DUMB


class Looks(NamedTuple):
    """The signs that a line is drawn with."""

    frames: str
    full: str
    empty: str


_FINE: Final = Looks("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "█", "░")
_PLAIN: Final = Looks("|/-\\", "#", ".")
"""For encodings that have no others."""


class Step:
    """How far something has come. Set by who works, read by who draws."""

    def __init__(self, text: str, position: Callable[[], float] | None, total: float | None) -> None:
        self.text = text
        self.total = total
        self._position = position
        self._done = 0.0

    def say(self, text: str) -> None:
        """Say what is done now."""
        self.text = plain(text)

    def reach(self, done: float, total: float | None = None) -> None:
        """Say how much is done, and of how much."""
        self._done = done
        self.total = total if total is not None else self.total

    @property
    def done(self) -> float:
        """How much is done."""
        with suppress(ValueError, OSError):  # a file whose position was asked for was closed meanwhile
            self._done = self._position() if self._position else self._done
        return self._done


def position_in(file: BinaryIO) -> Callable[[], float]:
    """Tell how far a file was read or written, without a hand on its buffer."""
    return lambda: os.lseek(file.fileno(), 0, os.SEEK_CUR)


def size_of(file: BinaryIO) -> float:
    """Tell how large a file is."""
    return os.fstat(file.fileno()).st_size


@contextmanager
def working(
    text: str,
    *,
    position: Callable[[], float] | None = None,
    total: float | None = None,
    is_bytes: bool = False,
    delay_seconds: float = DELAY_SECONDS,
) -> Iterator[Step]:
    """Show that something is worked on for as long as this lasts: a bar where the total is known, else the time that it takes.

    Inside of another one it shows nothing: what is outside tells more. Nothing else may be printed meanwhile.
    """
    step = Step(plain(text), position, total)
    if _shown.get() or not is_animated(sys.stderr):
        yield step
        return
    end, token = Event(), _shown.set(True)
    drawing = Thread(target=_draw, args=(step, end, delay_seconds, is_bytes), name="progress", daemon=True)
    drawing.start()
    try:
        yield step
    finally:
        end.set()
        drawing.join()
        _shown.reset(token)


def _draw(step: Step, end: Event, delay_seconds: float, is_bytes: bool) -> None:  # noqa: FBT001
    if end.wait(delay_seconds):
        return
    from rich.console import Console  # noqa: PLC0415  # what is quick starts without it
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    # standard output may be a pipe that somebody reads: nothing is redirected
    console, begun = Console(stderr=True), monotonic() - delay_seconds
    looks = _PLAIN if console.options.ascii_only else _FINE
    with Live(console=console, transient=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        for frame in cycle(looks.frames):
            line = Text(no_wrap=True, overflow="ellipsis")
            line.append(frame, "cyan").append(f" {step.text} ")
            line.append(bar(step, looks), "cyan").append(amount(step, is_bytes=is_bytes))
            line.append(f" {_clock(monotonic() - begun)}", "dim")
            live.update(line, refresh=True)
            if end.wait(REFRESH_SECONDS):
                return


def bar(step: Step, looks: "Looks") -> str:
    """Draw how much of the whole is done; nothing where the whole is not known."""
    if not step.total:
        return ""
    part = min(step.done / step.total, 1.0)
    full = int(part * BAR_WIDTH)
    return f"{looks.full * full}{looks.empty * (BAR_WIDTH - full)} {part:4.0%} "


def amount(step: Step, *, is_bytes: bool) -> str:
    """Tell how much is done, and of how much; nothing at the beginning of what cannot be counted."""
    done, total = step.done, step.total
    if not done and not total:
        return ""
    if is_bytes:
        return f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB" if total else f"{done / 1e6:,.1f} MB"
    return f"{done:,.0f} of {total:,.0f}" if total else f"{done:,.0f}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
