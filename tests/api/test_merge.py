"""Merge over HTTP: raw, and by Microsoft's own SDK."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.keyvault.certificates import CertificateClient, CertificateOperation, CertificatePolicy
from azure.keyvault.certificates._shared import http_challenge_cache

from certworker.crypto.x509 import to_pem
from certworker.vault.access import SERVICE
from certworker.vault.issuers import IssuerParameters
from tests.api.world import Caller, TestAuthority, World
from tests.support.signing import Signer

SIGNER = Signer()
MANUAL: dict[str, Any] = {
    "key_props": {"kty": "EC"},
    "x509_props": {"subject": "CN=web.test", "sans": {"dns_names": ["web.test"]}, "key_usage": ["digitalSignature"]},
    "issuer": {"name": "Unknown"},
}
WRONG_KEY = (
    "The public key of the end-entity certificate in the specified X.509 certificate content does not match the public part of "
    "the specified private key. Please check if certificate is valid."
)
MERGE = "/certificates/web/pending/merge"


def text(data: bytes) -> str:
    """Write base64."""
    return base64.b64encode(data).decode()


def begin(call: Caller, **fields: object) -> bytes:
    """Make a certificate signing request."""
    answer = call("POST", "/certificates/web/create", {"policy": MANUAL, **fields})
    assert answer.status_code == 202, answer.text
    return base64.b64decode(answer.json()["csr"])


def test_a_merge_answers_with_the_new_version(call: Caller) -> None:
    """201 with Location, the bundle, and the wishes of the merge; the operation is completed."""
    leaf = SIGNER.sign(begin(call, tags={"team": "web"}))
    body = {
        "x5c": [text(leaf), *map(text, SIGNER.chain)],
        "attributes": {"enabled": False, "exp": 1, "nbf": 0},
        "tags": {"order": "7"},
    }
    answer = call("POST", MERGE, body)
    assert answer.status_code == 201, answer.text
    bundle = answer.json()
    assert answer.headers["location"] == f"{call.world.vault_url}/certificates/web?api-version=2026-04-01"
    assert bundle == call("GET", "/certificates/web").json()
    assert (bundle["cer"], bundle["tags"], bundle["attributes"]["enabled"]) == (text(leaf), {"order": "7"}, False)
    assert bundle["attributes"]["exp"] > 1
    pending = call("GET", "/certificates/web/pending").json()
    assert (pending["status"], pending["target"]) == ("completed", f"{call.world.vault_url}/certificates/web")
    assert "status_details" not in pending


def test_warnings_are_in_the_details(call: Caller) -> None:
    """Key Vault has no field for them."""
    leaf = SIGNER.sign(begin(call), subject="CN=other")
    assert call("POST", MERGE, {"x5c": [text(leaf)]}).status_code == 201
    assert call("GET", "/certificates/web/pending").json()["status_details"] == (
        "The certificate's subject is CN=other; asked was CN=web.test. "
        "The certificate came without that of its issuer, CN=Paper issuing CA: the chain is missing."
    )


@pytest.mark.parametrize("form", ["der", "base64 twice", "lines", "no padding", "pem", "pem in base64"])
def test_entries_come_in_many_forms(call: Caller, form: str) -> None:
    """Base64 of DER, of base64 text, with line ends or without padding; PEM as it is, and in base64."""
    leaf = SIGNER.sign(begin(call))
    entry = {
        "der": text(leaf),
        "base64 twice": text(text(leaf).encode()),
        "lines": base64.encodebytes(leaf).decode().replace("\n", "\r\n"),
        "no padding": text(leaf).rstrip("="),
        "pem": to_pem((leaf,)).decode(),
        "pem in base64": text(to_pem((leaf,))),
    }[form]
    answer = call("POST", MERGE, {"x5c": [entry, *map(text, SIGNER.chain)]})
    assert answer.status_code == 201, answer.text
    assert answer.json()["cer"] == text(leaf)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "x5c: field required"),
        ({"x5c": "MII"}, "x5c: input should be a valid"),
        ({"x5c": [7]}, "x5c.0: input should be a valid string"),
        ({"x5c": []}, "x5c is empty"),
        ({"x5c": ["MIIöö"]}, "x5c[0] is not base64"),
        ({"x5c": ["%%%%"]}, "x5c[0] is not base64"),
        ({"x5c": [""]}, "x5c[0] cannot be merged. The content is empty"),
        ({"x5c": [text(SIGNER.root), "AAAA"]}, "x5c[1] cannot be merged. The content is neither"),
        ({"x5c": [text(SIGNER.root)], "tags": {"": ""}}, "a tag's name has 1 to 512 characters"),
        ({"x5c": [text(SIGNER.root)]}, WRONG_KEY),
    ],
)
def test_what_cannot_be_merged_is_a_bad_parameter(call: Caller, body: dict[str, Any], words: str) -> None:
    """The answer says what is wrong, and the operation is as it was."""
    begin(call)
    before = call("GET", "/certificates/web/pending").json()
    answer = call("POST", MERGE, body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], words in error["message"]) == ("BadParameter", True), error
    assert call("GET", "/certificates/web/pending").json() == before


def test_refusals_have_the_services_words(call: Caller) -> None:
    """404 where nothing is pending or the request is another, 403 where a CA was asked, or the operation has ended."""
    body = {"x5c": [text(SIGNER.root)]}
    answer = call("POST", MERGE, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "PendingCertificateNotFound")
    leaf = SIGNER.sign(begin(call))
    answer = call("POST", f"{MERGE}?request_id=another", body)
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "Pending certificate not found: web")
    good = {"x5c": [text(leaf), *map(text, SIGNER.chain)]}
    assert call("POST", MERGE, good).status_code == 201
    answer = call("POST", MERGE, good)
    assert answer.status_code == 403
    assert answer.json()["error"]["message"] == "Pending status must be in progress to allow merge; it is completed."
    call.world.house.issuers.set(SERVICE, call.world.vault, "ca", IssuerParameters("Scripted"))
    assert call("POST", "/certificates/web/create", {"policy": {**MANUAL, "issuer": {"name": "ca"}}}).status_code == 202
    answer = call("POST", MERGE, good)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "Forbidden")
    assert answer.json()["error"]["message"] == (
        "Merge is forbidden on pending object created with issuer : ca while it is in progess."
    )


def test_the_order_of_a_chain_is_a_wish(call: Caller) -> None:
    """It is shown in operation and bundle to who knows the field, and the secret has the chain in that order."""
    policy = {**MANUAL, "secret_props": {"contentType": "application/x-pem-file"}}
    leaf = SIGNER.sign(begin(call, policy=policy, preserveCertOrder=True))
    assert call("GET", "/certificates/web/pending").json()["preserveCertOrder"] is True
    sent = [SIGNER.root, leaf, SIGNER.intermediate]
    bundle = call("POST", MERGE, {"x5c": list(map(text, sent))}).json()
    assert bundle["preserveCertOrder"] is True
    assert "preserveCertOrder" not in call("GET", "/certificates/web?api-version=7.5").json()
    value = call("GET", "/secrets/web").json()["value"]
    assert value.endswith(to_pem((leaf, SIGNER.root, SIGNER.intermediate)).decode())


def test_who_does_not_know_the_wish_cannot_mean_it(call: Caller) -> None:
    """Before 7.6 the field means nothing, and the chain is put in order."""
    path = "/certificates/web/create?api-version=7.5"
    answer = call("POST", path, {"policy": MANUAL, "preserveCertOrder": True})
    assert "preserveCertOrder" not in answer.json()
    assert call("GET", "/certificates/web/pending").json()["preserveCertOrder"] is False


@pytest.fixture
def client(served: World, authority: TestAuthority) -> Iterator[CertificateClient]:
    """Give the SDK's client of a served deployment; its cache of challenges is the process's."""
    http_challenge_cache.clear()
    verify = {"connection_verify": str(authority.bundle)}
    credential = ClientSecretCredential(
        served.tenant,
        served.administrator.client_id,
        served.client_secret,
        authority=served.house.settings.authority,
        disable_instance_discovery=True,
        **verify,
    )
    with CertificateClient(served.vault_url, credential, **verify) as client:
        yield client
    http_challenge_cache.clear()


def sdk_policy() -> CertificatePolicy:
    """Ask for a certificate signing request."""
    return CertificatePolicy(
        "Unknown", subject="CN=web.test", san_dns_names=["web.test"], key_type="EC", key_curve_name="P-256"
    )


@pytest.mark.parametrize("twice", [False, True], ids=["der", "base64 text"])
def test_the_sdk_merges(client: CertificateClient, *, twice: bool) -> None:
    """DER as it is, and base64 text as Microsoft's own samples hand it over."""
    operation = client.begin_create_certificate("web", sdk_policy(), preserve_order=True).result()
    assert isinstance(operation, CertificateOperation)
    chain = [SIGNER.sign(bytes(operation.csr or b"")), *SIGNER.chain]
    sent = [base64.b64encode(der) if twice else der for der in chain]
    merged = client.merge_certificate("web", sent, tags={"order": "7"}, enabled=True)
    assert bytes(merged.cer or b"") == chain[0]
    assert merged.properties is not None
    assert merged.properties.tags == {"order": "7"}
    assert client.get_certificate("web").cer == merged.cer
    assert client.get_certificate_operation("web").status == "completed"


def test_the_sdk_is_told_what_is_wrong(client: CertificateClient) -> None:
    """A wrong key, and a request that nobody made."""
    client.begin_create_certificate("web", sdk_policy()).result()
    with pytest.raises(HttpResponseError, match="does not match the public part of the specified private key"):
        client.merge_certificate("web", [SIGNER.root])
    with pytest.raises(ResourceNotFoundError, match="Pending certificate not found: nobody"):
        client.merge_certificate("nobody", [SIGNER.root])
    assert client.get_certificate_operation("web").status == "inProgress"
