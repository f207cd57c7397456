"""What Key Vault has no word for: renew now, histories, the test of an issuer."""

import pytest

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
        ("POST", f"{ISSUERS}/ca/test"),
    ):
        refused = call.bare(method, path, headers=headers)
        assert refused.status_code == 403, path
        assert refused.json()["error"]["code"] == "Forbidden"


def test_plain_localhost_answers_too(call: Caller) -> None:
    """The bare domain leads to the vault, not to the identity provider."""
    call.create("web")
    answer = call.bare("POST", f"https://localhost:8443{CERTIFICATES}/web/renew", headers=call.world.bearer())
    assert answer.status_code == 202
