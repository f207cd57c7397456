"""[hook]: a program of the operator's own that is told."""

from typing import Self

from pydantic import Field, model_validator

from certworker.settings.listener import Listener


class HookSettings(Listener):
    """[hook]: a program of your own that is told, with each message as JSON on its standard input."""

    command: tuple[str, ...] = Field((), description="program and arguments, run without a shell; none: there is no hook")
    seconds: float = Field(30.0, gt=0, le=120, description="seconds after which it is killed with all that it started")

    @model_validator(mode="after")
    def _is_heard(self) -> Self:
        if (self.topics or self.vaults) and not self.command:
            raise ValueError("topics and vaults go with command, the program that is told")
        return self
