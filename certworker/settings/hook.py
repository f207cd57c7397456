"""[hook]: a program of the operator's own that is told."""

from pydantic import Field

from certworker.settings.listener import Listener


class HookSettings(Listener):
    """[hook]: a program of your own that is told, with each message as JSON on its standard input."""

    command: tuple[str, ...] = Field((), description="program and arguments, run without a shell; none: there is no hook")
    seconds: float = Field(30.0, gt=0, le=120, description="seconds after which it is killed with all that it started")
