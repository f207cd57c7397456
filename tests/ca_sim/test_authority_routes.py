"""Management of the authority's own certificates: shown, replaced, revoked."""

import json
from typing import Any

import pytest
from cryptography import x509

from ca_sim.planes import PlaneName
from tests.ca_sim.issued import DAY, Bench, bench, crl_url


def ask(world: Bench, method: str, path: str, document: object = None, status: int = 200) -> dict[str, Any]:
    """Ask management; check the status."""
    content = b"" if document is None else json.dumps(document).encode()
    url = world.house.bases[PlaneName.MANAGEMENT] + path
    answer = world.running.request(method, url, {"content-type": "application/json"}, content)
    assert answer.status == status, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    return found


def test_an_intermediate_is_replaced_and_the_old_one_revoked() -> None:
    """New leaves are of the new one; the CRL of the root names the old one."""
    with bench() as world:
        old = world.issue()
        world.later(DAY)
        new = ask(world, "POST", "/authority/rotate", {}, 201)
        assert new["issues"]
        assert world.issue().issuer.serial_number == int(new["serial"], 16)
        serial = f"{old.issuer.serial_number:x}"
        revoked = ask(world, "POST", f"/authority/{serial}/revoke", {"reason": "keyCompromise"})
        assert (revoked["issues"], revoked["reason"], revoked["revoked_at"]) == (False, "keyCompromise", "2026-01-02T00:00:00Z")
        assert [entry.serial_number for entry in world.crl(crl_url(old.issuer))] == [old.issuer.serial_number]
        assert ask(world, "POST", f"/authority/{serial}/revoke", {}, 400)["error"]


def test_a_root_is_replaced() -> None:
    """It is shown with all others, and with what certifies it across."""
    with bench(profiles={"other": {"validity_seconds": 60, "issuer": "rsa"}}) as world:
        new = ask(world, "POST", "/authority/rotate", {"what": "root"}, 201)
        listed = ask(world, "GET", "/authority")["certificates"]
        assert [entry["subject"] for entry in listed].count(new["subject"]) == 2  # one of them by the older root
        assert sum(entry["issues"] for entry in listed) == 2
        assert len(listed) == 2 + 2 + 2 + 1 + 2
        cross = next(entry for entry in listed if entry["id"] is None)
        assert ask(world, "POST", f"/authority/{cross['serial']}/revoke", {})["reason"] == "cACompromise"
        for entry in listed:
            assert x509.load_pem_x509_certificate(entry["pem"].encode()).serial_number == int(entry["serial"], 16)
            if entry["crl"]:
                assert world.get(entry["crl"]).status == 200


@pytest.mark.parametrize(
    ("path", "document", "status"),
    [
        ("/authority/rotate", {"what": "leaf"}, 400),
        ("/authority/rotate", {"family": "dsa"}, 400),
        ("/authority/77/revoke", {}, 404),
        ("/authority/77/revoke", {"reason": "certificateHold"}, 400),
    ],
)
def test_what_cannot_be_is_refused(path: str, document: dict[str, str], status: int) -> None:
    """Other things, other keys, certificates of nobody, reasons that are none."""
    with bench() as world:
        assert ask(world, "POST", path, document, status)["error"]
        root = f"{world.house.authority.root.certificate.serial_number:x}"
        assert ask(world, "POST", f"/authority/{root}/revoke", {}, 404)["error"]
