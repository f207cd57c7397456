"""Applications show a secret and get a token; a token tells who calls, or nothing."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certworker.crypto.keys import generate_key
from certworker.crypto.tokens import sign_token, token_key_id
from certworker.errors import Conflict, SetupError, Unauthenticated
from certworker.vault.sign_in.clients import Proof
from certworker.vault.sign_in.scopes import Resource, ResourceKind
from certworker.vault.vaults import Principal
from certworker.vault.verified import VerifiedTokens
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment

AUDIENCE, ISSUER = "https://vault.localhost:8443", "https://login.localhost:8443/tenant/v2.0"


def minted(deployment: Deployment, principal: Principal, audience: str = AUDIENCE, issuer: str = ISSUER) -> str:
    """Make the token of an application."""
    resource = Resource(audience, ResourceKind.VAULTS)
    return deployment.house.sign_in.mint.for_application(principal, resource, issuer, Proof.SECRET).token


def token_of(deployment: Deployment, audience: str = AUDIENCE, issuer: str = ISSUER) -> str:
    """Give the administrator's token."""
    with deployment.house.store.reading() as reader:
        principal = reader.principals()[0]
    return minted(deployment, principal, audience, issuer)


def caller_of(deployment: Deployment, token: str, tenant: str | None = None) -> object:
    """Tell who calls with a token."""
    tenant = tenant or deployment.vault.tenant_id
    with deployment.house.store.glance() as reader:
        return deployment.house.directory.caller(reader, token, tenant, ISSUER, (AUDIENCE,))


def test_a_secret_is_checked(deployment: Deployment) -> None:
    """The right one of the right application in the right tenant; the words never tell which was wrong."""
    administrator, secret = deployment.house.founding.renew_secret()
    directory, tenant, client = deployment.house.directory, administrator.tenant_id, administrator.client_id
    assert directory.authenticate(tenant, client, secret).object_id == administrator.object_id
    words = set()
    for wrong in ((tenant, client, ""), (tenant, client, secret + "x"), (tenant, "x", secret), ("x", client, secret)):
        with pytest.raises(Unauthenticated) as refusal:
            directory.authenticate(*wrong)
        words.add(str(refusal.value))
    assert len(words) == 1
    _, newer = deployment.house.founding.renew_secret()
    with pytest.raises(Unauthenticated):
        directory.authenticate(tenant, client, secret)
    assert directory.authenticate(tenant, client, newer)


def test_a_token_tells_who_calls(deployment: Deployment) -> None:
    """For as long as it holds; a minute of difference between clocks is allowed."""
    assert caller_of(deployment, token_of(deployment)) == replace(deployment.administrator, issuer=ISSUER)


def test_a_token_ends(deployment: Deployment, clock: FakeClock) -> None:
    """An hour, and a minute for clocks that differ."""
    token = token_of(deployment)
    assert caller_of(deployment, token)
    clock.advance(timedelta(seconds=deployment.house.settings.identity.token_seconds + 59))
    assert caller_of(deployment, token)
    clock.advance(timedelta(seconds=1))
    with pytest.raises(Unauthenticated, match="expired"):
        caller_of(deployment, token)


@pytest.mark.parametrize(
    ("audience", "issuer", "words"),
    [("https://other", ISSUER, "AKV10022"), (AUDIENCE, "https://other", "AKV10032"), (AUDIENCE + "/", ISSUER, "AKV10022")],
)
def test_a_token_for_somebody_else_is_refused(deployment: Deployment, audience: str, issuer: str, words: str) -> None:
    """Made for another audience, or by another issuer."""
    with pytest.raises(Unauthenticated, match=words):
        caller_of(deployment, token_of(deployment, audience, issuer))


def test_a_foreign_token_is_refused(deployment: Deployment) -> None:
    """Signed by a key that nobody knows, by another key under a known name, or of another tenant."""
    token = token_of(deployment)
    tenant = deployment.vault.tenant_id
    claims = {"aud": AUDIENCE, "iss": ISSUER, "tid": tenant, "oid": "x", "exp": 2**40}
    foreign = generate_key("RSA", 2048, None)
    for wrong, words in ((sign_token(foreign, "x", claims), "does not have"), (sign_token(foreign, "", claims), "does not")):
        with pytest.raises(Unauthenticated, match=words):
            caller_of(deployment, wrong)
    with pytest.raises(Unauthenticated, match="signature"):
        caller_of(deployment, sign_token(foreign, token_key_id(token), claims))
    with pytest.raises(Unauthenticated):
        caller_of(deployment, token, tenant="another")


def test_a_tenant_trusts_its_own_keys_only(deployment: Deployment) -> None:
    """A token of another tenant, signed by that tenant's key, opens nothing here, whatever it says of itself."""
    house = deployment.house
    system = house.founding.system_vault()
    assert system is not None
    key = house.directory.new_signing_key("tenant-2", system.id)
    with house.store.writing() as writer:
        writer.add_signing_key(key)
        principal = reader_principal = writer.principals()[0]
    foreign = replace(reader_principal, tenant_id="tenant-2")
    token = minted(deployment, foreign)
    with pytest.raises(Unauthenticated, match="does not have"):
        caller_of(deployment, token)
    with house.store.glance() as reader, pytest.raises(Unauthenticated, match="AKV10032"):
        house.directory.caller(reader, token, "tenant-2", ISSUER + "/other", (AUDIENCE,))
    assert principal.tenant_id == deployment.vault.tenant_id
    kids = [found["kid"] for found in house.directory.key_set("tenant-2")["keys"]]
    assert kids == [key.id]


def test_a_deployment_is_set_up_once(deployment: Deployment) -> None:
    """A second founding changes nothing."""
    with pytest.raises(Conflict, match="set up already"):
        deployment.house.founding.found("other", "somebody")
    with deployment.house.store.reading() as reader:
        assert len(reader.principals()) == 1
        assert [vault.name for vault in reader.vaults()] == ["certworker-system", "contoso"]


def test_a_deployment_without_an_administrator_says_so(deployment: Deployment) -> None:
    """There is nobody to give a new secret to."""
    with deployment.house.store.writing() as writer:
        writer._change(__import__("sqlalchemy").text("DELETE FROM principal"))  # type: ignore[attr-defined]
    with pytest.raises(SetupError, match="no administrator"):
        deployment.house.founding.renew_secret()


def test_a_token_that_was_seen_ends_with_its_key(deployment: Deployment) -> None:
    """A signature is checked once; whether its key is still one of the tenant's is looked at every time."""
    token = token_of(deployment)
    assert caller_of(deployment, token) == replace(deployment.administrator, issuer=ISSUER)
    with pytest.raises(Unauthenticated, match="a key that this tenant does not have"):
        caller_of(deployment, token, tenant="another")
    with pytest.raises(Unauthenticated):
        caller_of(deployment, token[:-4] + "AAAA")


def test_the_memory_of_tokens_is_bounded() -> None:
    """The least used go first."""
    verified = VerifiedTokens(most=2)
    for token in ("a", "b"):
        verified.keep(token, "key", {"sub": token})
    assert verified.find("a") == ("key", {"sub": "a"})
    verified.keep("c", "key", {"sub": "c"})
    assert (verified.find("b"), verified.find("a")) == (None, ("key", {"sub": "a"}))
