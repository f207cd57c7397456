"""The credentials of azure-identity, as they come from PyPI, against a real server over TLS."""

import html
import re
import ssl
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    CertificateCredential,
    ClientSecretCredential,
    DeviceCodeCredential,
    InteractiveBrowserCredential,
    ManagedIdentityCredential,
    OnBehalfOfCredential,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certworker.api.identity.managed import build_managed_app
from certworker.api.serve import BackgroundServer
from certworker.cli.sockets import bind, port_of
from certworker.clock import utc_now
from certworker.settings.identity import ManagedIdentity
from certworker.vault.identities.records import Credential, CredentialKind
from certworker.vault.rights.caller import Caller as Who
from tests.api.world import TestAuthority, World, serve_world
from tests.support.clock import FakeClock

NAME, PASSWORD = "ada@contoso.test", "correct Horse 7"


@dataclass(frozen=True)
class Logins:
    """A served deployment with a user, whose clock shows today."""

    world: World
    authority: TestAuthority
    user_id: str

    @property
    def options(self) -> dict[str, Any]:
        """What every credential is told."""
        settings = self.world.house.settings
        return {
            "authority": settings.authority,
            "disable_instance_discovery": True,
            "connection_verify": str(self.authority.bundle),
        }

    @property
    def scope(self) -> str:
        """The vaults' own."""
        return f"{self.world.house.settings.resource}/.default"

    def browser(self) -> httpx.Client:
        """Give a browser."""
        return httpx.Client(verify=ssl.create_default_context(cafile=str(self.authority.bundle)), follow_redirects=True)

    def sign_in(self, browser: httpx.Client, shown: httpx.Response) -> httpx.Response:
        """Fill in the form on a page that the browser shows, and press the buttons until there are none."""
        filled = {"login": NAME, "passwd": PASSWORD, "answer": "sign-in"}
        action = re.search(r'<form method="post" action="([^"]*)"', shown.text)
        assert action, shown.text
        url = shown.url.join(html.unescape(action[1]))
        return browser.post(url, data=hidden(shown) | filled)


def hidden(shown: httpx.Response) -> dict[str, str]:
    """Read the hidden fields of a form."""
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', shown.text)
    return {name: html.unescape(value) for name, value in found}


def claims_of(token: str) -> dict[str, Any]:
    """Read what a token says."""
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


@pytest.fixture
def logins(tmp_path: Path, authority: TestAuthority) -> Iterator[Logins]:
    """Serve a deployment with a user."""
    with serve_world(tmp_path, FakeClock(utc_now().replace(microsecond=0)), authority) as world:
        administrator = Who(world.administrator.object_id, world.administrator.client_id, world.tenant)
        user = world.house.identities.users.create(administrator, {"user_name": NAME, "display_name": "Ada"}, PASSWORD)
        yield Logins(world, authority, user.object_id)


def make_certificate(clock: FakeClock) -> tuple[bytes, x509.Certificate]:
    """Make a key with its certificate, in one PEM."""
    key, name = rsa.generate_private_key(65537, 2048), x509.Name.from_rfc4514_string("CN=app")
    at = clock()
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, at - timedelta(days=1), at + timedelta(days=1))
    made = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + made.public_bytes(Encoding.PEM), made


def test_a_certificate_is_shown(logins: Logins) -> None:
    """By a signed assertion, which is taken for a second resource as well; not by a certificate that nobody registered."""
    world = logins.world
    pem, made = make_certificate(world.clock)
    client, at = world.administrator.client_id, world.clock()
    thumbprint = made.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303
    der = made.public_bytes(Encoding.DER)
    shown = Credential(str(uuid4()), client, CredentialKind.CERTIFICATE, at, None, certificate=der, thumbprint=thumbprint)
    with world.house.store.writing() as writer:
        writer.put_credential(shown)
    credential = CertificateCredential(world.tenant, client, certificate_data=pem, **logins.options)
    claims = claims_of(credential.get_token(logins.scope).token)
    assert (claims["appidacr"], claims["oid"]) == ("2", world.administrator.object_id)
    assert claims_of(credential.get_token("https://management.core.windows.net//.default").token)["idtyp"] == "app"
    other, _ = make_certificate(world.clock)
    with pytest.raises(ClientAuthenticationError, match="AADSTS700027"):
        CertificateCredential(world.tenant, client, certificate_data=other, **logins.options).get_token(logins.scope)


def test_a_device_code_is_entered(logins: Logins) -> None:
    """The user is told where to go, and the credential goes on by its refresh token for another resource."""

    def enter(url: str, code: str, _expires: object) -> None:
        with logins.browser() as browser:
            shown = browser.get(url)
            shown = browser.post(url, data=hidden(shown) | {"user_code": code})
            assert logins.sign_in(browser, shown).status_code == 200

    credential = DeviceCodeCredential(tenant_id=logins.world.tenant, prompt_callback=enter, **logins.options)
    claims = claims_of(credential.get_token(logins.scope).token)
    assert (claims["oid"], claims["upn"], claims["scp"]) == (logins.user_id, NAME, "user_impersonation")
    more = claims_of(credential.get_token("https://management.azure.com/.default").token)
    assert more["aud"] == "https://management.azure.com"


def test_a_browser_signs_in(logins: Logins, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page leads back to the credential's own port."""
    failures: list[BaseException] = []

    def visit(url: str) -> None:
        try:
            with logins.browser() as browser:
                done = logins.sign_in(browser, browser.get(url))
                if 'name="code"' in done.text:  # a browser's script sends it on
                    action = re.search(r'action="([^"]*)"', done.text)
                    assert action
                    assert urlsplit(action[1]).hostname == "localhost"
                    browser.post(html.unescape(action[1]), data=hidden(done))
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)

    def open_browser(url: str, *_more: object, **_options: object) -> bool:
        threading.Thread(target=visit, args=(url,)).start()
        return True

    monkeypatch.setattr("azure.identity._credentials.browser._open_browser", open_browser)
    credential = InteractiveBrowserCredential(tenant_id="organizations", timeout=20, **logins.options)
    claims = claims_of(credential.get_token(logins.scope).token)
    assert not failures
    assert claims["oid"] == logins.user_id


def test_a_web_application_calls_for_its_user(logins: Logins) -> None:
    """On behalf of: the user's object id through the application's client id; a token for somebody else is not taken."""
    world = logins.world
    web, secret = world.add_principal("web", administrator=False)

    def enter(url: str, code: str, _expires: object) -> None:
        with logins.browser() as browser:
            shown = browser.post(url, data=hidden(browser.get(url)) | {"user_code": code})
            logins.sign_in(browser, shown)

    user = DeviceCodeCredential(tenant_id=world.tenant, prompt_callback=enter, **logins.options)
    for_web = user.get_token(f"api://{web.client_id}/.default").token
    middle = OnBehalfOfCredential(world.tenant, web.client_id, client_secret=secret, user_assertion=for_web, **logins.options)
    claims = claims_of(middle.get_token(logins.scope).token)
    assert (claims["oid"], claims["appid"], claims["appidacr"]) == (logins.user_id, web.client_id, "1")
    stolen = user.get_token(logins.scope).token
    wrong = OnBehalfOfCredential(world.tenant, web.client_id, client_secret=secret, user_assertion=stolen, **logins.options)
    with pytest.raises(ClientAuthenticationError, match="AADSTS500131"):
        wrong.get_token(logins.scope)
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        ClientSecretCredential(world.tenant, web.client_id, "wrong", **logins.options).get_token(logins.scope)


@pytest.mark.parametrize("kind", ["app-service", "imds"])
def test_a_managed_identity_needs_no_secret(logins: Logins, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its endpoint on loopback gives tokens to whoever was told how; a wrong header, a proxy, another host get none."""
    world, sockets = logins.world, bind(("127.0.0.1",), 0, "tests")
    url, header = f"http://127.0.0.1:{port_of(sockets)}", "a-header-that-nobody-guesses"
    file = {"header_file": Path("header")} if kind == "app-service" else {}
    settings = ManagedIdentity(
        identity=world.administrator.object_id,
        kind=kind,
        port=port_of(sockets),
        **file,
    )
    server = BackgroundServer(build_managed_app(world.house, settings, header if file else ""), sockets)
    server.start()
    try:
        if kind == "app-service":
            monkeypatch.setenv("IDENTITY_ENDPOINT", f"{url}/msi/token")
            monkeypatch.setenv("IDENTITY_HEADER", header)
        else:
            monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", url)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            token = ManagedIdentityCredential().get_token(logins.scope).token
        assert claims_of(token)["oid"] == world.administrator.object_id
        path = "/msi/token" if file else "/metadata/identity/oauth2/token"
        query = {"api-version": "2019-08-01" if file else "2018-02-01", "resource": world.house.settings.resource}
        right = {"X-IDENTITY-HEADER": header} if file else {"Metadata": "true"}
        wrong = {"X-IDENTITY-HEADER": "wrong"} if file else {}
        with httpx.Client(base_url=url) as client:
            got = [client.get(path, params=query, headers=sent).status_code for sent in (right, wrong)]
            assert got == [200, 401 if file else 400]
            for more in ({"X-Forwarded-For": "127.0.0.1"}, {"Host": "evil.test"}):
                assert client.get(path, params=query, headers=right | more).status_code == 403
            for changes in ({"resource": "https://other"}, {"api-version": "1"}, {"client_id": str(uuid4())}):
                assert client.get(path, params=query | changes, headers=right).status_code == 400
    finally:
        server.stop()
