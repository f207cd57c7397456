"""What the API tells of revocation."""

from certworker.vault.revocation.standing import Standing, Status, write_status
from certworker.vault.watches import Watch, WatchKind
from tests.api.world import Caller
from tests.support.clock import START

PATH = "/certworker/v1/certificates/web/revocation"


def test_what_is_not_watched_yet_says_so_and_is_looked_at_when_asked(call: Caller) -> None:
    """A self-signed certificate cannot be checked; that is none of the three results."""
    call.create("web")
    assert call("GET", PATH).json()["result"] is None
    checked = call("POST", f"{PATH}/check")
    assert checked.status_code == 200
    assert checked.json()["result"] == "unchecked"
    assert "self-signed" in checked.json()["why"]
    assert "next_check" not in checked.json()
    (listed,) = call("GET", "/certworker/v1/revocation").json()["value"]
    assert listed == call("GET", PATH).json() == checked.json()


def test_a_revocation_is_shown_with_its_reason_and_source(call: Caller) -> None:
    """Times are Unix seconds; what is above it is named."""
    call.create("web")
    world = call.world
    version = call("GET", "/certificates/web").json()["id"].rpartition("/")[2]
    status = Status(
        Standing.REVOKED, START, "Told.", "superseded", START, "CN=above", "crl", "ca.test", START, looked_at=START, told=True
    )
    with world.house.store.writing() as writer:
        writer.put_watch(Watch(WatchKind.REVOCATION, world.vault.id, "web", version, START, write_status(status)))
    at = int(START.timestamp())
    shown = call("GET", PATH).json()
    assert shown.pop("id").endswith(version)
    assert shown == {
        "result": "revoked",
        "since": at,
        "revoked_at": at,
        "checked": at,
        "fresh_until": at,
        "why": "Told.",
        "reason": "superseded",
        "about": "CN=above",
        "source": "crl",
        "host": "ca.test",
        "next_check": at,
    }


def test_there_has_to_be_such_a_certificate(call: Caller) -> None:
    """Else it is the vault's own error."""
    assert call("GET", PATH).status_code == 404
    assert call("POST", f"{PATH}/check").status_code == 404
    assert call.bare("GET", PATH).status_code == 401
