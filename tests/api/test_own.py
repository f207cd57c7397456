"""What Key Vault has no word for: renew and revoke now, histories, an issuer's test and the key of its account."""

from datetime import timedelta

import pytest

from certworker.vault.issuance import Revocation
from certworker.worker.rounds import Rounds
from tests.api.world import SELF_SIGNED, Caller, World

CERTIFICATES, ISSUERS = "/certworker/v1/certificates", "/certworker/v1/issuers"


def test_a_certificate_is_renewed_now(call: Caller) -> None:
    """The answer names the operation, why it was begun, and where its history is; no api-version is asked for."""
    call.create("Web")
    answer = call.bare("POST", f"{CERTIFICATES}/Web/renew", headers=call.world.bearer())
    assert answer.status_code == 202
    assert (answer.json()["reason"], answer.json()["status"]) == ("requested", "completed")
    assert answer.headers["Location"].endswith("/certworker/v1/certificates/Web/operations/latest")
    history = call.bare("GET", answer.headers["Location"], headers=call.world.bearer()).json()
    assert [entry["step"] for entry in history["journal"]] == ["key-made", "merged"]
    assert history["renewal"]["reason"] == "lifetime_action"
    assert history["warnings"] == []
    assert history["target"] == call("GET", "/certificates/Web").json()["id"]
    assert len(call("GET", "/certificates/Web/versions").json()["value"]) == 2


def test_the_fixed_words_of_the_path_may_be_in_any_case(call: Caller) -> None:
    """Only the name keeps its case."""
    call.create("web")
    assert call("POST", "/CertWorker/V1/Certificates/WEB/Renew/").status_code == 202


@pytest.mark.parametrize(
    ("policy", "status", "text"), [({"issuer": {"name": "Unknown"}}, 409, "csr create web"), ({}, 400, "name")]
)
def test_refusals_say_what_to_do(call: Caller, policy: dict[str, object], status: int, text: str) -> None:
    """They have the shape of Key Vault's errors."""
    call.create("web")
    if policy:
        actions = [{"trigger": {"lifetime_percentage": 80}, "action": {"action_type": "EmailContacts"}}]
        call("PATCH", "/certificates/web/policy", {**policy, "lifetime_actions": actions})
    answer = call("POST", f"{CERTIFICATES}/{'web' if policy else 'w_b'}/renew")
    assert answer.status_code == status
    assert text in answer.json()["error"]["message"]


def test_an_operation_in_the_way_is_named(call: Caller) -> None:
    """A pending one is shown by the history, with when it is looked at next."""
    call("PUT", "/certificates/issuers/ca", {"provider": "Scripted"})
    operation = call.create("web", SELF_SIGNED | {"issuer": {"name": "ca"}})
    answer = call("POST", f"{CERTIFICATES}/web/renew")
    assert answer.status_code == 409
    assert operation["request_id"] in answer.json()["error"]["message"]
    history = call("GET", f"{CERTIFICATES}/web/operations/latest").json()
    assert (history["status"], history["request_id"]) == ("inProgress", operation["request_id"])
    assert history["next_attempt"] == history["created"]


def test_what_is_not_there_is_said(call: Caller) -> None:
    """No such certificate, operation, issuer or path."""
    assert call("POST", f"{CERTIFICATES}/web/renew").json()["error"]["code"] == "CertificateNotFound"
    assert call("GET", f"{CERTIFICATES}/web/operations/latest").json()["error"]["code"] == "PendingCertificateNotFound"
    assert call("POST", f"{ISSUERS}/ca/test").json()["error"]["code"] == "CertificateIssuerNotFound"
    assert call("GET", "/certworker/v1/nothing").status_code == 404
    assert call("GET", f"{CERTIFICATES}/web/renew").status_code == 405


def test_an_issuer_is_tested(call: Caller) -> None:
    """One that has no test says so; one whose CA is not reached says why, with status 200."""
    call("PUT", "/certificates/issuers/ca", {"provider": "Scripted"})
    untested = call("POST", f"{ISSUERS}/ca/test")
    assert (untested.status_code, untested.json()["result"]) == (200, "untested")
    credentials = {"account_id": "https://127.0.0.1:1/directory"}
    call("PUT", "/certificates/issuers/acme", {"provider": "Acme", "credentials": credentials})
    failed = call("POST", f"{ISSUERS}/acme/test").json()
    assert failed["result"] == "failed"
    assert "allow_private" in failed["findings"][0]


def issued_by_a_ca(call: Caller) -> str:
    """Get a certificate from a CA, and give its id."""
    call("PUT", "/certificates/issuers/ca", {"provider": "Scripted"})
    call.create("web", SELF_SIGNED | {"issuer": {"name": "ca"}})
    Rounds(call.world.house, "test-worker").run_due(call.world.clock())
    identifier: str = call("GET", "/certificates/web").json()["id"]
    return identifier


def test_a_certificate_is_revoked(call: Caller) -> None:
    """The current version, or the one that is named; the answer says which, by whom and why."""
    identifier = issued_by_a_ca(call)
    answer = call("POST", f"{CERTIFICATES}/WEB/revoke", {"reason": "superseded"})
    assert (answer.status_code, answer.json()) == (200, {"id": identifier, "issuer": "ca", "reason": "superseded"})
    named = call("POST", f"{CERTIFICATES}/web/revoke", {"version": identifier.rpartition("/")[2], "reason": 1})
    assert named.json()["reason"] == "keyCompromise"
    assert [reason for _, _, reason in call.world.authority.revoked] == [4, 1]


def test_a_revocation_that_has_to_wait_says_how_long(call: Caller) -> None:
    """503 with Retry-After, in the shape of Key Vault's errors."""
    issued_by_a_ca(call)
    later = call.world.clock() + timedelta(seconds=77)
    call.world.authority.refusals.append(Revocation(done=False, message="Too many.", retry_at=later))
    answer = call("POST", f"{CERTIFICATES}/web/revoke", {"reason": "superseded"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "77")
    assert answer.json()["error"] == {
        "code": "ServiceUnavailable",
        "message": "The certificate web is not revoked. Too many.",
    }


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"reason": "because"}, 400, "superseded (4)"),
        ({}, 400, "reason"),
        ({"reason": None}, 400, "reason"),
        ({"reason": [4]}, 400, "reason"),
        ({"reason": 4, "version": 7}, 400, "version"),
        ({"reason": 4, "version": "0" * 32}, 404, "not found"),
    ],
)
def test_a_revocation_that_cannot_be_meant_is_refused(call: Caller, body: dict[str, object], status: int, text: str) -> None:
    """The message names the field; the CA is not asked."""
    issued_by_a_ca(call)
    answer = call("POST", f"{CERTIFICATES}/web/revoke", body)
    assert answer.status_code == status, answer.text
    assert text in answer.json()["error"]["message"]
    assert call.world.authority.revoked == []


def test_a_self_signed_certificate_is_not_revoked(call: Caller) -> None:
    """There is nobody to ask: 409, and the words say so."""
    call.create("web")
    answer = call("POST", f"{CERTIFICATES}/web/revoke", {"reason": "superseded"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "Conflict")
    assert "nobody to revoke it" in answer.json()["error"]["message"]


def test_an_accounts_key_is_exchanged(call: Caller) -> None:
    """The answer names the issuer; what its provider cannot do is a conflict."""
    call("PUT", "/certificates/issuers/ca", {"provider": "Scripted"})
    answer = call("POST", f"{ISSUERS}/CA/roll-key")
    assert (answer.status_code, answer.json()["provider"]) == (200, "Scripted")
    assert answer.json()["id"].endswith("/certificates/issuers/ca")
    assert call("POST", f"{ISSUERS}/nobody/roll-key").json()["error"]["code"] == "CertificateIssuerNotFound"
    credentials = {"account_id": "https://127.0.0.1:1/directory"}
    call("PUT", "/certificates/issuers/acme", {"provider": "Acme", "credentials": credentials})
    refused = call("POST", f"{ISSUERS}/acme/roll-key")
    assert refused.status_code == 409
    assert "no account at the CA yet" in refused.json()["error"]["message"]


def test_nobody_comes_in_by_this_door_without_a_token(call: Caller, world: World) -> None:
    """The same challenge, and the same permissions."""
    answer = call.bare("POST", f"{CERTIFICATES}/web/renew")
    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers
    stranger, _ = world.add_principal("stranger", administrator=False)
    headers = {"Authorization": f"Bearer {world.token(stranger)}"}
    for method, path in (
        ("POST", f"{CERTIFICATES}/web/renew"),
        ("GET", f"{CERTIFICATES}/web/operations/latest"),
        ("POST", f"{CERTIFICATES}/web/revoke"),
        ("POST", f"{ISSUERS}/ca/test"),
        ("POST", f"{ISSUERS}/ca/roll-key"),
    ):
        refused = call.bare(method, path, {"reason": "superseded"}, headers=headers)
        assert refused.status_code == 403, path
        assert refused.json()["error"]["code"] == "Forbidden"


def test_plain_localhost_answers_too(call: Caller) -> None:
    """The bare domain leads to the vault, not to the identity provider."""
    call.create("web")
    answer = call.bare("POST", f"https://localhost:8443{CERTIFICATES}/web/renew", headers=call.world.bearer())
    assert answer.status_code == 202
