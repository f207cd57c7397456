"""What the authority tells of its certificates, as OpenSSL sees it: chains, CRLs and OCSP."""

import subprocess
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca_sim.clock import utc_now
from ca_sim.server import serve_in_thread
from tests.ca_sim.caller import calling
from tests.ca_sim.conftest import settings_for
from tests.ca_sim.issued import Bench, Issued, access_urls, bench, crl_url
from tests.ca_sim.responder import Responder

PATIENCE_SECONDS = 20
REVOKED = "certificate revoked"
pytestmark = pytest.mark.system("openssl")


def openssl(*arguments: str) -> tuple[int, str]:
    """Run openssl; give its status and all that it says."""
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    return done.returncode, done.stdout + done.stderr


def write(path: Path, *certificates: x509.Certificate | x509.CertificateRevocationList) -> str:
    """Write PEM; give the path."""
    path.write_bytes(b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates))
    return str(path)


def root_of(world: Bench, issued: Issued) -> x509.Certificate:
    """Fetch the root from where the intermediate says it is."""
    access = issued.issuer.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    return x509.load_der_x509_certificate(world.get(str(access[-1].access_location.value)).body)


def verify(world: Bench, issued: Issued, folder: Path) -> tuple[int, str]:
    """Verify a leaf with the CRLs of leaf and intermediate, at the virtual time."""
    leaf, issuer = issued.leaf, issued.issuer
    crls = write(folder / "crls.pem", world.crl(crl_url(leaf)), world.crl(crl_url(issuer)))
    files = [
        *("-CAfile", write(folder / "root.pem", root_of(world, issued))),
        *("-untrusted", write(folder / "issuer.pem", issuer)),
        *("-CRLfile", crls, "-crl_check_all", "-x509_strict"),
    ]
    moment = str(int(world.house.clock().timestamp()))
    return openssl("verify", *files, "-attime", moment, write(folder / "leaf.pem", leaf))


@pytest.mark.parametrize("issuer", ["ec", "rsa"])
@pytest.mark.parametrize("shards", [1, 4])
def test_chain_and_crls_verify(tmp_path: Path, issuer: str, shards: int) -> None:
    """A good leaf does, a revoked leaf does not, and neither does the leaf of a revoked intermediate."""
    with bench(profiles={"other": {"validity_seconds": 864_000, "issuer": issuer}}, crl_shards=shards) as world:
        good, bad = world.issue("other"), world.issue("other")
        world.later(timedelta(hours=1))
        world.revoke(bad)
        assert verify(world, good, tmp_path) == (0, f"{tmp_path}/leaf.pem: OK\n")
        status, said = verify(world, bad, tmp_path)
        assert (status != 0, REVOKED in said) == (True, True), said
        world.house.publication.revocations.revoke_own(good.issuer, 2)
        assert REVOKED in verify(world, good, tmp_path)[1]


@pytest.mark.parametrize("issuer", ["ec", "rsa"])
def test_the_responder_is_believed(tmp_path: Path, issuer: str) -> None:
    """OpenSSL asks with a nonce, about two at once; what it is told verifies up to the root."""
    with bench(profiles={"other": {"validity_seconds": 864_000, "issuer": issuer}}) as world:
        world.house.clock.set(utc_now())  # openssl looks at its own clock
        good, bad = world.issue("other"), world.issue("other")
        world.revoke(bad, 1)
        issuer_file = write(tmp_path / "issuer.pem", good.issuer)
        leaves = [write(tmp_path / f"{name}.pem", issued.leaf) for name, issued in (("good", good), ("bad", bad))]
        asked = ["-issuer", issuer_file, "-cert", leaves[0], "-cert", leaves[1]]
        request, response = tmp_path / "request.der", tmp_path / "response.der"
        assert openssl("ocsp", *asked, "-reqout", str(request))[0] == 0
        response.write_bytes(world.ask_bytes(request.read_bytes()).body)
        root = write(tmp_path / "root.pem", root_of(world, good))
        told = ["-no_nonce", "-respin", str(response), "-CAfile", root, "-verify_other", issuer_file]
        status, said = openssl("ocsp", *asked, *told)
        assert status == 0, said
        for line in ("Response verify OK", f"{leaves[0]}: good", f"{leaves[1]}: revoked", "Reason: keyCompromise"):
            assert line in said, said
        assert "WARNING" not in said


def test_the_served_responder_is_believed(tmp_path: Path, responder: Responder) -> None:
    """OpenSSL asks the server that a leaf of ACME names, with a nonce; the CRL is at its URL too."""
    with serve_in_thread(settings_for(responder), utc_now) as running, calling(running) as caller:
        assert caller.register().status_code == 201
        chain = caller.issue_chain(responder, "a.test")
        leaf, issuer = x509.load_pem_x509_certificates(chain)
        (tmp_path / "root.pem").write_bytes(running.root_pem)
        files = ["-issuer", write(tmp_path / "issuer.pem", issuer), "-cert", write(tmp_path / "leaf.pem", leaf)]
        asked = ["ocsp", *files, "-CAfile", str(tmp_path / "root.pem"), "-url", access_urls(leaf)["ocsp"], "-nonce"]
        status, said = openssl(*asked)
        assert (status, "leaf.pem: good" in said, "WARNING" in said) == (0, True, False), said
        assert len(x509.load_der_x509_crl(httpx.get(crl_url(leaf)).content)) == 0
        assert caller.revoke(leaf, reason=1).status_code == 200
        status, said = openssl(*asked)
        assert (status, "leaf.pem: revoked" in said) == (0, True), said
        assert len(x509.load_der_x509_crl(httpx.get(crl_url(leaf)).content)) == 1
