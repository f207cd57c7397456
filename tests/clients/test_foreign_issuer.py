"""An OpenID Connect provider that others wrote (npm's oidc-provider) is a foreign issuer: its tokens are taken as they come."""

import os
import secrets
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from certworker.cli.sockets import free_port
from certworker.clock import utc_now
from certworker.settings import IdentitySettings, Network
from certworker.settings.identity import ForeignIssuer
from certworker.vault.identities.records import Application, FederatedCredential
from certworker.vault.rights.roles import PrincipalType, RoleAssignment
from certworker.vault.rights.scopes import vault_scope
from certworker.vault.sign_in.foreign import foreign_id
from tests.api.world import VERSION, Caller, World, make_authority, open_world
from tests.support.clock import FakeClock

SCRIPTS = Path(__file__).parent / "js"
VAULTS = "https://vault.localhost:8443"
SECRETS_OFFICER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"
GROUP = "22222222-2222-2222-2222-222222222222"

pytestmark = [
    pytest.mark.system("node"),
    pytest.mark.installed("tests/clients/js/node_modules/.package-lock.json"),
]


@dataclass(frozen=True)
class Issuer:
    """The provider, while it runs."""

    url: str
    bundle: Path
    secret: str
    process: subprocess.Popen[str]

    def token(self) -> str:
        """Get a token by client credentials."""
        form = {"grant_type": "client_credentials", "client_id": "pipeline", "client_secret": self.secret}
        with httpx.Client(verify=ssl.create_default_context(cafile=str(self.bundle))) as client:
            answer = client.post(f"{self.url}/token", data=form)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def rotate(self) -> None:
        """Sign by another key, and show it alone."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("rotate\n")
        self.process.stdin.flush()
        assert any(line == "rotated\n" for line in iter(self.process.stdout.readline, ""))

    def stop(self) -> None:
        """Go down."""
        self.process.terminate()
        self.process.wait(10)


@contextmanager
def run_issuer(folder: Path, audience: str) -> Iterator[Issuer]:
    """Run the provider on a free port of loopback."""
    authority, port, secret = make_authority(folder), free_port(0), secrets.token_urlsafe(16)
    environment = {
        "PATH": os.environ["PATH"],
        "PORT": str(port),
        "CERTIFICATE": str(folder / "server.pem"),
        "KEY": str(folder / "server.pem"),
        "AUDIENCE": audience,
        "CLIENT_SECRET": secret,
    }
    process = subprocess.Popen(
        ["node", str(SCRIPTS / "issuer.mjs")],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        assert any(line == "ready\n" for line in lines)
        yield Issuer(f"https://localhost:{port}", authority.bundle, secret, process)
    finally:
        process.terminate()
        process.wait(10)
        assert process.stdin
        assert process.stdout
        process.stdin.close()
        process.stdout.close()


def assign(world: World, principal_id: str) -> None:
    """Let a principal read and write secrets."""
    at = world.house.clock()
    assignment = RoleAssignment(
        id=str(uuid4()),
        tenant_id=world.tenant,
        scope=vault_scope(world.vault),
        role_id=SECRETS_OFFICER,
        principal_id=principal_id,
        principal_type=PrincipalType.SERVICE_PRINCIPAL,
        created=at,
        updated=at,
    )
    with world.house.store.writing() as writer:
        writer.add_role_assignment(assignment)


def status(call: Caller, token: str) -> int:
    """List secrets with a token; give the status."""
    return call.bare("GET", f"/secrets?{VERSION}", headers={"Authorization": f"Bearer {token}"}).status_code


def test_its_tokens_open_what_was_assigned(tmp_path: Path) -> None:
    """By the mapped subject; a rotated key is fetched, the older one counts no more, and being down costs nothing."""
    clock = FakeClock(utc_now().replace(microsecond=0))
    with run_issuer(tmp_path, VAULTS) as issuer:
        settings = ForeignIssuer(
            url=issuer.url, ca_bundle=issuer.bundle, object_id_claim="client_id", groups_claim="groups", timeout_seconds=2
        )
        own = {"identity": IdentitySettings(issuers={"ci": settings}), "network": Network(allow_private=("localhost",))}
        with open_world(tmp_path, clock, **own) as world:  # type: ignore[arg-type]
            call, first = Caller(world), issuer.token()
            assert status(call, first) == 403
            assign(world, foreign_id(issuer.url, "pipeline"))
            assert status(call, first) == 200
            issuer.rotate()
            second = issuer.token()
            assert status(call, second) == 401  # an unknown key is asked for, but not more often than once in a minute
            clock.advance(timedelta(seconds=61))
            assert status(call, second) == 200
            assert status(call, first) == 401
            issuer.stop()
            clock.advance(timedelta(minutes=8))
            assert status(call, second) == 200
            unknown = first
            clock.advance(timedelta(minutes=1))
            assert status(call, unknown) == 503
            clock.advance(timedelta(hours=1))
            assert status(call, second) == 401  # its own time is over


def test_its_groups_and_its_audience_count(tmp_path: Path) -> None:
    """A role for a group of the token is a role for its bearer; a token for somebody else is refused."""
    clock = FakeClock(utc_now().replace(microsecond=0))
    with run_issuer(tmp_path, VAULTS) as issuer:
        fields = {"url": issuer.url, "ca_bundle": issuer.bundle, "object_id_claim": "client_id"}
        for more, expected in (({"groups_claim": "groups"}, 200), ({}, 403), ({"audiences": ("https://other",)}, 401)):
            found = ForeignIssuer(**fields, **more)
            own = {"identity": IdentitySettings(issuers={"ci": found}), "network": Network(allow_private=("localhost",))}
            folder = tmp_path / str(expected)
            folder.mkdir()
            with open_world(folder, clock, anew=True, **own) as world:  # type: ignore[arg-type]
                assign(world, foreign_id(issuer.url, GROUP))
                assert status(Caller(world), issuer.token()) == expected


def test_its_token_is_a_client_assertion(tmp_path: Path) -> None:
    """Workload identity: an application that has a federated credential shows the foreign token instead of a secret."""
    clock = FakeClock(utc_now().replace(microsecond=0))
    with run_issuer(tmp_path, "api://exchange") as issuer:
        settings = ForeignIssuer(url=issuer.url, ca_bundle=issuer.bundle)
        own = {"identity": IdentitySettings(issuers={"ci": settings}), "network": Network(allow_private=("localhost",))}
        with open_world(tmp_path, clock, **own) as world:  # type: ignore[arg-type]
            call, client = Caller(world), world.administrator.client_id
            form = {
                "grant_type": "client_credentials",
                "client_id": client,
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": issuer.token(),
                "scope": f"{VAULTS}/.default",
            }
            url = f"https://login.localhost:8443/{world.tenant}/oauth2/v2.0/token"
            assert call.bare("POST", url, data=form).json()["error_codes"] == [700213]
            with world.house.store.writing() as writer:
                if writer.application(client) is None:
                    writer.add_application(Application(str(uuid4()), client, world.tenant, "administrator", clock()))
                credential = FederatedCredential(str(uuid4()), client, "ci", issuer.url, "pipeline", ("api://exchange",))
                writer.add_federated_credential(credential)
            body = call.bare("POST", url, data=form).json()
            assert status(call, body["access_token"]) == 200
