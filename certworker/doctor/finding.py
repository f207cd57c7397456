"""What a check has found: one line, and what to do about it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_COMMAND: Final = re.compile(r"[Rr]un: [^.]*$")


class Verdict(StrEnum):
    """How something stands. Only what is wrong makes the whole examination fail."""

    FINE = "fine"
    NOTE = "note"
    WARNING = "warning"
    WRONG = "wrong"
    SKIPPED = "not looked at"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. `to_do` is one sentence that a person can follow; empty where there is nothing to do."""

    check: str
    verdict: Verdict
    text: str
    to_do: str = ""


Findings = Iterable[Finding]
AS_SERVICE: Final = "Run this as the user that the service has, or give the file to that user with chown."


@dataclass(frozen=True, slots=True)
class Reporter:
    """Makes the findings of one check."""

    check: str

    def fine(self, text: str) -> Finding:
        """Say that something is as it should be."""
        return Finding(self.check, Verdict.FINE, _sentence(text))

    def note(self, text: str, to_do: str = "") -> Finding:
        """Say something that is neither good nor bad."""
        return Finding(self.check, Verdict.NOTE, _sentence(text), to_do)

    def warning(self, text: str, to_do: str) -> Finding:
        """Say that something will do for now."""
        return Finding(self.check, Verdict.WARNING, _sentence(text), to_do)

    def wrong(self, text: str, to_do: str) -> Finding:
        """Say that something is wrong."""
        return Finding(self.check, Verdict.WRONG, _sentence(text), to_do)

    def skipped(self, text: str) -> Finding:
        """Say what was not looked at, and since what."""
        return Finding(self.check, Verdict.SKIPPED, _sentence(text))


def is_well(findings: Findings) -> bool:
    """Whether nothing is wrong."""
    return all(finding.verdict is not Verdict.WRONG for finding in findings)


def _sentence(text: str) -> str:
    """End what others have said as a sentence ends, and keep it on one line; commands to copy are left as they are."""
    line = " ".join(text.split())
    return line if line.endswith((".", "!", "?", ")")) or _COMMAND.search(line) else f"{line}."
