"""The plan over HTTP: of one certificate and of all, as of now or another day; paused and resumed."""

import pytest

from tests.api.world import Caller

CERTIFICATES = "/certworker/v1/certificates"


def test_the_plan_of_a_certificate(call: Caller) -> None:
    """Times are seconds since 1970; what is not known is left out."""
    call.create("Web")
    plan = call("GET", f"{CERTIFICATES}/web/plan").json()
    assert plan["id"].startswith(call("GET", "/certificates/Web").json()["id"].rpartition("/")[0])
    assert plan["why"] == "Its policy's lifetime action says so."
    assert (plan["next"], plan["failures"], plan["issuer"]) == ("renewal", 0, "Self")
    assert plan["at"] < plan["deadline"] == plan["expires"]
    assert plan.keys().isdisjoint({"pause", "last_error", "requested"})
    assert call("GET", "/certworker/v1/plan").json() == {"value": [plan], "nextLink": None}
    late = call("GET", f"{CERTIFICATES}/web/plan?at=2027-06-01T00:00:00%2B02:00").json()
    assert late["reason"] == "overdue"


@pytest.mark.parametrize("at", ["soon", "0001-01-01", "9999-12-31", "2026-13-01", "1767225600000"])
def test_what_is_no_time_is_refused(call: Caller, at: str) -> None:
    """With an example of what is one."""
    call.create("web")
    answer = call("GET", f"/certworker/v1/plan?at={at}")
    assert answer.status_code == 400
    assert "2026-12-24" in answer.json()["error"]["message"]


def test_renewals_are_paused_and_resumed(call: Caller) -> None:
    """Each answers with what happens next; a reason is needed."""
    call.create("web")
    paused = call("POST", f"{CERTIFICATES}/web/pause", {"why": "The shop moves house"}).json()
    assert (paused["next"], paused["pause"]["why"], "at" in paused) == ("paused", "The shop moves house", False)
    assert call("GET", f"{CERTIFICATES}/web/plan").json() == paused
    assert call("POST", f"{CERTIFICATES}/web/resume").json()["next"] == "renewal"
    for body in ({}, {"why": ""}, {"why": 5}):
        assert call("POST", f"{CERTIFICATES}/web/pause", body).status_code == 400
    for verb in ("pause", "resume"):
        answer = call("POST", f"{CERTIFICATES}/nobody/{verb}", {"why": "x"})
        assert answer.json()["error"]["code"] == "CertificateNotFound"
