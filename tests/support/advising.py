"""An authority that does as its script says, and tells when it wants its certificates renewed."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from certworker.crypto.x509 import read_certificate
from certworker.vault.issuance import Advice, IssuanceRequest, NoAdvice
from tests.support.deployment import ScriptedAuthority


@dataclass(frozen=True)
class Incident:
    """What was issued before `began` is to be renewed between then and `until`."""

    began: datetime
    until: datetime
    explanation_url: str = "https://ca.test/incident"


@dataclass
class AdvisingAuthority(ScriptedAuthority):
    """Answers as `answers` say, one for each question, and then with a window that is a share of the lifetime.

    `asked` are the questions: when, and about which serial number.
    """

    shares: tuple[float, float] = (0.66, 0.68)
    pause: timedelta = timedelta(hours=6)
    answers: deque[Advice | NoAdvice] = field(default_factory=deque)
    incident: Incident | None = None
    asked: list[tuple[datetime, str]] = field(default_factory=list)
    advised: list[IssuanceRequest] = field(default_factory=list)

    def advise(self, request: IssuanceRequest, certificate: bytes, at: datetime) -> Advice | NoAdvice:
        """Answer one question."""
        facts = read_certificate(certificate)
        self.asked.append((at, facts.serial))
        self.advised.append(request)
        if self.answers:
            return self.answers.popleft()
        if self.incident and facts.not_before < self.incident.began:
            return Advice(self.incident.began, self.incident.until, self.incident.explanation_url, at + self.pause)
        lifetime = facts.not_after - facts.not_before
        start, end = (facts.not_before + lifetime * share for share in self.shares)
        return Advice(start, end, None, at + self.pause)
