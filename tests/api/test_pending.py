"""A certificate that has no version yet is shown as Key Vault shows it, since the JavaScript SDK asks for it first."""

from tests.api.world import SELF_SIGNED, Caller

MANUAL = {**SELF_SIGNED, "issuer": {"name": "Unknown"}}


def test_a_certificate_without_a_version_is_shown_disabled(call: Caller) -> None:
    """Policy, pending and the version that is to come, but no certificate, key or secret."""
    call.create("Web", MANUAL)
    answer = call("GET", "/certificates/web")
    assert answer.status_code == 200
    bundle = answer.json()
    base, _, version = bundle["id"].rpartition("/")
    assert (base, len(version)) == (f"{call.world.vault_url}/certificates/Web", 32)
    assert set(bundle) == {"id", "attributes", "policy", "pending"}
    assert bundle["attributes"]["enabled"] is False
    assert bundle["attributes"]["nbf"] == bundle["attributes"]["created"] - 600
    assert bundle["policy"]["issuer"] == {"name": "Unknown"}
    assert call("GET", f"/certificates/web/{version}").json() == bundle
    assert call("GET", f"/certificates/web/{'0' * 32}").status_code == 404


def test_it_goes_with_its_operation(call: Caller) -> None:
    """Once the only operation is forgotten there is nothing to be shown."""
    call.create("web", MANUAL)
    call("DELETE", "/certificates/web/pending")
    assert call("GET", "/certificates/web").status_code == 404


def test_a_pending_renewal_does_not_hide_the_version_there_is(call: Caller) -> None:
    """What has a version is shown by it, whatever is pending."""
    call.create("web")
    before = call("GET", "/certificates/web").json()
    call.create("web", MANUAL)
    assert call("GET", "/certificates/web").json()["id"] == before["id"]
