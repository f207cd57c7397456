"""The story of a contact who hears of each thing once, through three restarts."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from certworker.vault.issuance import IssuanceRequest, Rejected, Step
from certworker.vault.notification.ledger import NoticeStatus
from certworker.vault.notification.message import Delivery, Message
from certworker.vault.operations import Progress
from certworker.vault.progression import LEASE
from certworker.vault.vaults import Contact
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, ScriptedAuthority, open_deployment, policy_for
from tests.support.recording import Recorder, an_audience

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ADA = "ada@example.test"


class PowerCutError(BaseException):
    """The machine is off: nothing catches this."""


class Relay(Recorder):
    """A relay that takes a mail, and the power is cut before anybody can write down that it did."""

    cuts = 0

    def deliver(self, message: Message, at: datetime) -> Delivery:
        """Take a message; perhaps it is the last thing that happens."""
        taken = super().deliver(message, at)
        if self.cuts:
            self.cuts -= 1
            raise PowerCutError
        return taken


@contextmanager
def started(folder: Path, clock: FakeClock, authority: ScriptedAuthority, relay: Relay) -> Iterator[Deployment]:
    """Start the service, with what was there before."""
    with open_deployment(folder, clock, authority=authority, audience=an_audience(relay)) as deployment:
        yield deployment


def live_on(deployment: Deployment, clock: FakeClock, end: datetime) -> None:
    """Let time go on, from one thing that is due to the next."""
    while (due := deployment.work()) is not None and due <= end:
        clock.set(max(due, clock()))
    clock.set(end)


def refuse(_request: IssuanceRequest, _progress: Progress | None, _at: datetime) -> Step:
    """Refuse: the account has no money left."""
    return Rejected("payment", "The account has no money left.", configuration=True)


@pytest.mark.long
def test_a_contact_hears_of_each_thing_once_through_three_restarts(tmp_path: Path, clock: FakeClock) -> None:
    """Ada looks after one certificate of ninety days."""
    authority, relay = ScriptedAuthority(), Relay()

    # It is the first of January: the certificate is issued. Ada asked for it, and hears nothing.
    with started(tmp_path, clock, authority, relay) as service:
        contacts = (Contact(ADA, "Ada", None),)
        service.house.contacts.set(service.administrator, service.vault, contacts)
        service.create("shop", policy_for("shop.example.test"))
        live_on(service, clock, START + 59 * DAY)
        assert relay.messages == []

        # The day before the renewal she is told that it comes; the power is cut when the mail has gone.
        relay.cuts = 1
        with suppress(PowerCutError):
            live_on(service, clock, START + 64 * DAY)

    # The first restart. What was under way goes again, as the same message, which her mailbox shows once; then the renewal.
    clock.advance(LEASE)
    with started(tmp_path, clock, authority, relay) as service:
        live_on(service, clock, START + 64 * DAY)
        assert [message.topic.value for message in relay.messages] == ["renewal_starts", "renewal_starts", "renewed"]
        assert len({message.id for message in relay.messages}) == 2

        # At the next renewal the CA refuses. She hears of it once, although it is tried every day.
        authority.script.extend([refuse] * 1000)
        live_on(service, clock, START + 126 * DAY)
        assert [message.topic.value for message in relay.messages[3:]] == ["renewal_starts", "renewal_failed"]

    # The second restart comes after five days in which the machine was off. The renewal is overdue by now.
    clock.advance(9 * DAY)
    with started(tmp_path, clock, authority, relay) as service:
        live_on(service, clock, clock() + HOUR)
        assert relay.topics[5:] == ["renewal_overdue"]

        # Nine days before the end the relay is away for most of a day, in which the service is started once more.
        end = service.get("shop").version.attributes.expires
        assert end is not None
        live_on(service, clock, end - 9 * DAY - HOUR)
        relay.is_away = True
        live_on(service, clock, end - 9 * DAY + 16 * HOUR)
        assert relay.topics[6:] == []

    relay.is_away = False
    with started(tmp_path, clock, authority, relay) as service:
        live_on(service, clock, end - 8 * DAY + 16 * HOUR)
        said = {(message.topic.value, message.facts.get("threshold")) for message in relay.messages[6:]}
        assert said == {("near_expiry", "10%"), ("renewal_overdue", "70%")}

        # The account is topped up, and at the next attempt the certificate is renewed.
        authority.script.clear()
        live_on(service, clock, end - DAY)
        assert relay.topics[-1] == "renewed"

        # Of all this each thing came once, and nothing is left over.
        with service.house.store.reading() as reader:
            entries = reader.notices(service.vault.id, None, None, 1000)
        assert {entry.status for entry in entries} == {NoticeStatus.SENT}
        came = Counter(message.id for message in relay.messages)
        assert set(came) == {entry.id for entry in entries}
        assert sorted(came.values()) == [1] * (len(came) - 1) + [2]
