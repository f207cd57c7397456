"""A story: a CA goes down, its certificates become overdue, and all is well once it is back. Played, and told by promtool."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from certworker.vault.issuance import IssuanceRequest, Pending, Step, Trouble
from certworker.vault.operations import Progress
from tests.support.clock import FakeClock
from tests.support.deployment import ISSUER, ScriptedAuthority, open_deployment, policy_for
from tests.support.played import STEP, Played
from tests.support.rules import run_tool

NAMES = ("web", "mail", "shop")
EVERYTHING = "ALERTS"
CA_DOWN = 'ALERTS{alertname="CertworkerCaDown", severity="warning"}'
OVERDUE = 'ALERTS{alertname="CertworkerRenewalOverdue", name="web"}'


@dataclass
class FragileAuthority(ScriptedAuthority):
    """Issues certificates of four hours, or does not answer."""

    validity: timedelta = timedelta(hours=4)
    is_down: bool = False

    def step(self, request: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        """Answer, or do not."""
        if self.is_down:
            return Pending({}, None, "The CA cannot be reached.", trouble=Trouble.OUTAGE)
        return self.issue(request, progress, at)


def ca_down(state: str) -> str:
    """Name the alert of the CA."""
    return (
        f'ALERTS{{alertname="CertworkerCaDown", alertstate="{state}", issuer="{ISSUER}", severity="warning", vault="contoso"}}'
    )


def overdue(state: str, severity: str) -> str:
    """Name the alert of the certificate."""
    about = f'issuer="{ISSUER}", name="web", severity="{severity}", vault="contoso"'
    return f'ALERTS{{alertname="CertworkerRenewalOverdue", alertstate="{state}", {about}}}'


@pytest.mark.long
@pytest.mark.system("promtool")
def test_an_outage_becomes_alerts_and_they_end_with_it(tmp_path: Path, clock: FakeClock) -> None:
    """Each alert is pending and fires in the very minute that it should; the last one ends when the CA is back."""
    ca = FragileAuthority()
    with open_deployment(tmp_path, clock, authority=ca) as deployment:
        for name in NAMES:
            deployment.create(name, policy_for(f"{name}.test"))
        deployment.work()
        due = {name: deployment.renewal(name).due_at or clock() for name in NAMES}
        end = clock() + ca.validity
        clock.set(min(due.values()) - 5 * STEP)
        played = Played(clock())
        warning, critical = (played.minute(due["web"] + (end - due["web"]) * part / 100) for part in (30, 70))
        back = critical + 2
        for minute in range(back + 32):
            ca.is_down = minute < back
            deployment.work()
            played.take(deployment)
            clock.advance(STEP)
        renewed = [len(deployment.versions(name)) for name in NAMES]

    assert renewed == [2, 2, 2]
    up = played.series_of("certworker_issuer_up", issuer=ISSUER)
    down = up.index("0")
    well = up.index("1", down)
    assert down <= played.minute(max(due.values())) + 2
    assert back <= well <= back + 30
    played.expect(EVERYTHING, 4, [])
    played.expect(CA_DOWN, down - 1, [])
    played.expect(CA_DOWN, down + 9, [ca_down("pending")])
    played.expect(CA_DOWN, down + 10, [ca_down("firing")])
    played.expect(OVERDUE, warning - 1, [])
    played.expect(OVERDUE, warning, [overdue("pending", "warning")])
    played.expect(OVERDUE, warning + 4, [overdue("pending", "warning")])
    played.expect(OVERDUE, warning + 5, [overdue("firing", "warning")])
    played.expect(OVERDUE, critical - 1, [overdue("firing", "warning")])
    played.expect(OVERDUE, critical, [overdue("pending", "critical")])
    played.expect(OVERDUE, critical + 1, [overdue("firing", "critical")])
    played.expect(OVERDUE, back - 1, [overdue("firing", "critical")])
    played.expect(CA_DOWN, well - 1, [ca_down("firing")])
    played.expect(CA_DOWN, well, [])
    played.expect(EVERYTHING, back + 31, [])
    played.write(tmp_path / "outage.yml")
    run_tool("promtool", "test", "rules", tmp_path / "outage.yml")
