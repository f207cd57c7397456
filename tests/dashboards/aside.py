"""What `certworker dev` cannot show in a minute, from a house in this process: a hardware token, and a lease that is lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from random import Random

from certworker.bootstrap import make_master_key, open_house
from certworker.issuers.limits import limits_by
from certworker.metrics import Metrics
from certworker.metrics.counters import Counters
from certworker.metrics.exposition import Exposition
from certworker.settings import HsmSettings, IssuerSettings, Seal, Settings, SpareKeySettings
from certworker.vault.access import SERVICE
from certworker.vault.issuance import IssuanceRequest, Step
from certworker.vault.issuers import IssuerParameters
from certworker.vault.operations import Progress
from certworker.vault.policy import KeyProperties
from certworker.vault.progression import LEASE
from certworker.vault.vaults import Sku
from certworker.worker.rounds import Rounds
from tests.issuers.memory import serving
from tests.support.clock import FakeClock
from tests.support.deployment import ISSUER, ScriptedAuthority, policy_for


@contextmanager
def counted_aside(folder: Path, token: HsmSettings) -> Iterator[str]:
    """Let it happen, and serve what a scrape gets; give the address."""
    folder.mkdir()
    clock, counters, authority = FakeClock(), Counters(), ScriptedAuthority()
    settings = Settings(
        database_url=f"sqlite:///{folder}/certworker.db",
        seal=Seal(master_key_file=folder / "master.key"),
        hsm=token,
        spare_keys=SpareKeySettings(count=0),
        issuers={ISSUER: IssuerSettings(orders="2/1d", certificates_per_set="2/1d")},
    )
    make_master_key(settings.seal.master_key_file)
    with open_house(settings, clock, Random(1), {"scripted": authority}, measures=counters, durable=False) as house:
        vault = replace(house.founding.found("contoso", "administrator").vault, sku=Sku.PREMIUM)
        with house.store.writing() as writer:
            writer.replace_vault(vault)
        house.issuers.set(SERVICE, vault, ISSUER, IssuerParameters("Scripted"))
        in_token = policy_for("hard.test", "Self", key=KeyProperties("EC-HSM", None, "P-256", exportable=False))
        house.certificates.create(SERVICE, vault, "hard", in_token, tags={})

        def stall(request: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
            """Take longer than the lease, so that another worker is done before this answer comes."""
            clock.advance(LEASE + timedelta(seconds=1))
            Rounds(house, "another-worker").run_due(clock())
            return authority.issue(request, progress, at)

        authority.script.append(stall)
        house.certificates.create(SERVICE, vault, "late", policy_for("late.test"), tags={})
        Rounds(house, "worker-that-stalls").run_due(clock())
        channels = house.lifecycle.notification.audience.places
        state = Metrics(house.store, clock, 1000, 500, limits_by(settings), channels)
        exposition = Exposition(house.store, state.text, counters, settings.seal, writable=house.readiness.standing)

        class Scraped(BaseHTTPRequestHandler):
            """Answers a scrape."""

            def do_GET(self) -> None:
                """Give the text."""
                text, content_type = exposition.text()
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        with serving(Scraped) as port:
            yield f"127.0.0.1:{port}"
