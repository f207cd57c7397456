"""Who is let in: the bearer challenge, and tokens that do not hold."""

from dataclasses import replace
from datetime import timedelta

import jwt
import pytest
from azure.keyvault.certificates._shared.http_challenge import HttpChallenge

from certworker.crypto.keys import generate_key
from certworker.crypto.tokens import key_thumbprint, sign_token
from tests.api.world import VERSION, Caller, World

PATH = f"/secrets/web?{VERSION}"


def refused(call: Caller, token: str) -> str:
    """Call with a token that must not hold; give the text of the refusal."""
    answer = call.bare("GET", PATH, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "Unauthorized"
    challenge = HttpChallenge(f"{call.world.vault_url}{PATH}", answer.headers["www-authenticate"])
    assert challenge.tenant_id == call.world.tenant
    assert challenge.get_value("error") == "invalid_token"
    return str(answer.json()["error"]["message"])


def claims_of(world: World, **changes: object) -> dict[str, object]:
    """Read the claims of a good token, and change them."""
    return jwt.decode(world.token(), options={"verify_signature": False}) | changes


def test_the_first_call_is_challenged(call: Caller) -> None:
    """Exactly the service's header and body, which the SDK's own parser understands."""
    world = call.world
    answer = call.bare("GET", PATH)
    assert answer.status_code == 401
    header = answer.headers["www-authenticate"]
    assert (
        header == f'Bearer authorization="https://login.localhost:8443/{world.tenant}", resource="https://vault.localhost:8443"'
    )
    message = "AKV10000: Request is missing a Bearer or PoP token."
    assert answer.json() == {"error": {"code": "Unauthorized", "message": message}}
    challenge = HttpChallenge(f"{world.vault_url}{PATH}", header)
    assert challenge.is_bearer_challenge()
    assert (challenge.tenant_id, challenge.get_resource()) == (world.tenant, "https://vault.localhost:8443")


def test_two_hosts_are_none(call: Caller) -> None:
    """A proxy may have gone by the other one (RFC 9112 section 3.2)."""
    hosts = [("Host", "contoso.vault.localhost:8443"), ("Host", "other.vault.localhost:8443")]
    headers = [*hosts, *call.world.bearer().items()]
    answer = call.bare("GET", PATH, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "VaultNotFound")


def test_the_challenge_comes_before_anything_else(call: Caller) -> None:
    """Without a token nobody learns which paths, versions and objects there are."""
    for path in ("/", "/nothing", "/secrets/a_b", "/secrets/web?api-version=9.9"):
        assert call.bare("GET", path).status_code == 401
    assert call.bare("POST", "/certificates/web/create", content=b"{").status_code == 401
    assert call.bare("GET", PATH, headers={"Authorization": "Basic YTpi"}).status_code == 401


def test_a_good_token_is_let_in_on_every_host(call: Caller) -> None:
    """The audience may end in a slash, and a token of one host holds on the other."""
    world = call.world
    for audience in (None, f"{world.house.settings.resource}/"):
        headers = {"Authorization": f"bearer {world.token(audience=audience)}"}
        for base in (world.vault_url, "https://localhost:8443"):
            assert call.bare("GET", f"{base}{PATH}", headers=headers).status_code == 404


def test_the_bare_domain_stands_for_no_other_vault(call: Caller) -> None:
    """Where the first vault was deleted, nothing of its clients goes to the next one."""
    world, at = call.world, call.world.clock()
    with world.house.store.writing() as writer:
        writer.add_vault(replace(world.vault, id="next", name="next", created=at + timedelta(days=1)))
        writer.replace_vault(replace(world.vault, deleted=at, purge_at=at + timedelta(days=90)))
    for base, code in (("https://localhost:8443", "VaultNotFound"), ("https://next.vault.localhost:8443", "SecretNotFound")):
        assert call("GET", f"{base}/secrets/mine").json()["error"]["code"] == code


def test_an_expired_token_is_refused(call: Caller) -> None:
    """A token holds for an hour and a little, and a new one is let in again."""
    token = call.world.token()
    call.world.clock.advance(timedelta(hours=2))
    assert refused(call, token) == "The bearer token has expired."
    assert call("GET", PATH).status_code == 404


def test_a_token_of_tomorrow_is_refused(call: Caller) -> None:
    """A clock that went back does not make a token valid before its time."""
    token = call.world.token()
    call.world.clock.advance(timedelta(hours=-1))
    assert refused(call, token) == "The bearer token is not valid yet."


def test_tokens_for_others_are_refused(call: Caller) -> None:
    """Another audience and another issuer are told in the service's words."""
    world = call.world
    other = "https://management.localhost:8443"
    assert refused(call, world.token(audience=other)) == (
        f"AKV10022: Invalid audience. Expected https://vault.localhost:8443, found: {other}."
    )
    issuer = "https://login.localhost:8443/other/v2.0"
    assert (
        refused(call, world.token(issuer=issuer))
        == f"AKV10032: Invalid issuer. Expected one of {world.issuer}, found {issuer}."
    )


def test_forged_tokens_are_refused(call: Caller) -> None:
    """Another key under the right id, a key of its own, no signature, and the public key as a password."""
    world = call.world
    with world.house.store.reading() as reader:
        known = reader.signing_keys(world.tenant)[0]
    other = generate_key("RSA", 2048, None)
    claims = claims_of(world)
    forged = [
        sign_token(other, known.id, claims),
        sign_token(other, key_thumbprint(other), claims),
        jwt.encode(claims, "", algorithm="none", headers={"kid": known.id}),
        jwt.encode(claims, known.public_key.hex(), algorithm="HS256", headers={"kid": known.id}),
        world.token()[:-8] + "AAAAAAAA",
        "not.a.token",
        "x",
        "",
    ]
    for token in forged:
        assert "bearer token" in refused(call, token)


@pytest.mark.parametrize("header", ["Bearer", "Bearer \x7f", "Bearer a b c", "bearer " + "a" * 20_000])
def test_a_header_that_means_nothing_is_refused(call: Caller, header: str) -> None:
    """Whatever stands in the header, it is 401."""
    assert call.bare("GET", PATH, headers={"Authorization": header}).status_code == 401


def test_somebody_without_permission_is_told_so(call: Caller) -> None:
    """A principal who may do nothing gets 403 everywhere, also where there is nothing."""
    principal, _ = call.world.add_principal("guest", administrator=False)
    headers = {"Authorization": f"Bearer {call.world.token(principal)}"}
    for path in ("/certificates", "/certificates/web", "/secrets/web", "/keys/web", "/deletedcertificates/web"):
        answer = call.bare("GET", f"{path}?{VERSION}", headers=headers)
        assert answer.status_code == 403
        error = answer.json()["error"]
        assert (error["code"], error["innererror"]["code"]) == ("Forbidden", "ForbiddenByRbac")
        assert f"appid={principal.client_id};oid={principal.object_id};iss={call.world.issuer}\r\n" in error["message"]
        assert error["message"].endswith("Vault: contoso;location=local\r\n")
