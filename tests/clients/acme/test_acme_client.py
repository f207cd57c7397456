"""acme-client, as it comes from npm, at the simulated authority."""

from pathlib import Path

import pytest
from cryptography import x509

from tests.clients.acme.authority import ROOT, Authority
from tests.clients.acme.programs import assert_issued, assert_revoked, run

SCRIPT = ROOT / "tests" / "clients" / "js" / "acme.mjs"
NAMES = ("js.localhost", "www.js.localhost")

pytestmark = [pytest.mark.system("node"), pytest.mark.installed("tests/clients/js/node_modules/acme-client/package.json")]


def test_http01(authority: Authority, tmp_path: Path) -> None:
    """Its automatic mode obtains two certificates one after the other, and it revokes the second with a reason."""
    first, second = tmp_path / "first.pem", tmp_path / "second.pem"
    bound = authority.external_account("acme-client")
    environment = {
        "DIRECTORY": authority.directory,
        "NODE_EXTRA_CA_CERTS": str(authority.bundle),
        "HTTP01_PORT": str(authority.http01_port),
        "NAMES": ",".join(NAMES),
        "FIRST": str(first),
        "SECOND": str(second),
        "KID": bound.kid if bound else "",
        "HMAC_KEY": bound.hmac_key if bound else "",
        "REASON": "4",
    }
    run(["node", SCRIPT], environment)
    former = assert_issued(authority, first.read_bytes(), *NAMES)
    serial = x509.load_pem_x509_certificate(second.read_bytes()).serial_number
    assert serial != former
    assert_revoked(authority, serial, "superseded")
