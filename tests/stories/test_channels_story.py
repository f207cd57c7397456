"""The story of a renewal that is told by mail, by a webhook and by a program: the real channels, on the real ledger."""

import json
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from certworker.bootstrap import build
from certworker.settings import HookSettings, Mail, Network, WebhookSettings
from certworker.vault.notification.ledger import NoticeStatus
from certworker.vault.vaults import Contact
from certworker.worker.rounds import Rounds
from tests.issuers.test_hook import script
from tests.network.receivers import Receiver, is_signed, receiving
from tests.network.relays import PASSWORD, USER, Mailbox, relay, server_context
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, open_deployment, policy_for

DAY = timedelta(days=1)
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="


class Channels:
    """A relay, a receiver and a program that take what they are told, and a service that is set up to tell them."""

    def __init__(self, stack: ExitStack, folder: Path, clock: FakeClock) -> None:
        self._folder, self._clock = folder, clock
        context, self._bundle = server_context(folder)
        self.box = Mailbox()
        self._relay = stack.enter_context(relay(self.box, context, "starttls", login=True))
        self.receiver = stack.enter_context(receiving(Receiver()))
        self.told = folder / "told"
        self._program = script(folder, f'echo "$CERTWORKER_NOTICE_TOPIC" >>{self.told}')
        for name, content in (("password", PASSWORD), ("secret", SECRET)):
            (folder / name).write_text(content)
            (folder / name).chmod(0o600)

    def start(self, deployment: Deployment) -> Rounds:
        """Start the service with its settings, on the database that is there."""
        port, folder = self._relay.port, self._folder
        settings = deployment.house.settings.model_copy(
            update={
                "network": Network(allow_private=("localhost",)),
                "mail": Mail(
                    host="localhost",
                    port=port,
                    user=USER,
                    password_file=folder / "password",
                    sender="a@example.test",
                    ca_bundle=self._bundle,
                ),
                "webhooks": {
                    "team": WebhookSettings(
                        url=f"http://localhost:{self.receiver.port}/in", mode="binary", secret_file=folder / "secret"
                    )
                },
                "hook": HookSettings(command=(self._program,), topics=("renewed",)),
            }
        )
        house = build(settings, self._clock, deployment.house.store, Random(1), {"scripted": deployment.authority})
        return Rounds(house, "worker")


def live_on(rounds: Rounds, clock: FakeClock, end: datetime) -> None:
    """Let time go on, from one thing that is due to the next."""
    while (due := rounds.run_due(clock())) is not None and due <= end:
        clock.set(max(due, clock()))
    clock.set(end)


def test_a_renewal_is_told_by_all_channels(tmp_path: Path, clock: FakeClock) -> None:
    """Each hears of what it listens to, once, though one of them is away for a while and the service starts anew."""
    with ExitStack() as stack:
        deployment = stack.enter_context(open_deployment(tmp_path, clock))
        channels = Channels(stack, tmp_path, clock)
        box, receiver = channels.box, channels.receiver
        house, vault = deployment.house, deployment.vault
        house.contacts.set(deployment.administrator, vault, (Contact("ada@example.test", "Ada", None),))

        # A certificate is issued. The webhook is asked whether it wants to be told, and is told of three new versions.
        rounds = channels.start(deployment)
        deployment.create("shop", policy_for("shop.example.test"))
        live_on(rounds, clock, START + DAY)
        assert [asked.method for asked in receiver.asked] == ["OPTIONS"]
        assert sorted(received.headers["ce-type"].removeprefix("Microsoft.KeyVault.") for received in receiver.delivered) == [
            "CertificateNewVersionCreated",
            "KeyNewVersionCreated",
            "SecretNewVersionCreated",
        ]
        assert all(is_signed(received, SECRET) for received in receiver.delivered)
        assert box.taken == []

        # Two months on, the service has started anew, and the relay is too busy for the word of the renewal.
        rounds, box.to_data = channels.start(deployment), "451 come back later"
        live_on(rounds, clock, START + 59.5 * DAY)
        assert box.taken == []
        box.to_data = "250 taken"
        live_on(rounds, clock, START + 62 * DAY)

        # All that was to be told has been, and the webhook was not asked a second time.
        assert [mail["Subject"] for mail in box.taken] == [
            "Certificate shop is to be renewed [contoso]",
            "Certificate shop was renewed [contoso]",
        ]
        with house.store.reading() as reader:
            entries = reader.notices(vault.id, None, None, 100)
        assert {entry.status for entry in entries} == {NoticeStatus.SENT}
        assert {mail["Message-ID"] for mail in box.taken} == {
            f"<{one.id}@example.test>" for one in entries if one.channel == "mail"
        }
        delivered = [received.headers["ce-id"] for received in receiver.delivered]
        assert sorted(delivered) == sorted(one.id for one in entries if one.channel == "webhook")
        assert len(receiver.asked) == 1
        assert channels.told.read_text().splitlines() == ["renewed"]

        # What a program does with the data of the new version: it finds it in the vault.
        data = json.loads(receiver.delivered[-1].body)
        assert data["VaultName"] == "contoso"
        assert data["Version"] in deployment.versions("shop")
