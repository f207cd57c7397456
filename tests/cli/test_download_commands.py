"""Certificates as files: downloaded in each form, whichever is stored."""

import json
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from certworker.crypto.conversions import pem_to_pkcs12, pkcs12_to_pem
from certworker.errors import BadParameter
from tests.cli.terminal import Terminal

PKCS12, PEM = "application/x-pkcs12", "application/x-pem-file"


def make(terminal: Terminal, content_type: str, *more: str) -> bytes:
    """Make a certificate whose secret has a form; give the certificate as DER."""
    terminal("certificate", "create", "web", "--dns", "web.example", "--curve", "P-256", *more)
    terminal("certificate", "policy", "set", "web", stdin=json.dumps({"secret_props": {"contentType": content_type}}))
    terminal("certificate", "renew", "web")
    return x509.load_pem_x509_certificate(terminal("certificate", "download", "web", "--format", "cer").raw).public_bytes(
        Encoding.DER
    )


@pytest.mark.parametrize("stored", [PKCS12, PEM])
def test_a_certificate_is_downloaded_in_each_form(terminal: Terminal, stored: str) -> None:
    """Key and certificate belong together in both, and files with a key are for their owner only."""
    leaf = make(terminal, stored)
    pem, pfx, cer = (terminal.folder / name for name in ("web.pem", "web.pfx", "web.cer"))
    pem.write_text("what was there before")
    pem.chmod(0o644)
    for file in (pem, pfx, cer):
        said = terminal("certificate", "download", "web", "-o", str(file), "--format", file.suffix[1:])
        assert (said.out, said.err) == ("", "")
    assert [stat.S_IMODE(file.stat().st_mode) for file in (pem, pfx)] == [0o600, 0o600]
    key = load_pem_private_key(pem.read_bytes(), None)
    assert x509.load_pem_x509_certificate(pem.read_bytes()).public_bytes(Encoding.DER) == leaf
    found = load_pkcs12(pfx.read_bytes(), b"")
    assert found.key is not None
    assert found.cert is not None
    assert found.cert.certificate.public_bytes(Encoding.DER) == leaf
    assert found.key.public_key() == key.public_key() == found.cert.certificate.public_key()
    assert b"PRIVATE" not in cer.read_bytes()
    assert not list(terminal.folder.glob(".web*"))


def test_standard_output_takes_a_certificate_too(terminal: Terminal) -> None:
    """PEM unless told otherwise; - is standard output as well."""
    make(terminal, PKCS12)
    assert terminal("certificate", "download", "web").raw.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert load_pkcs12(terminal("certificate", "download", "web", "--format", "pfx", "-o", "-").raw, b"").key
    assert terminal("certificate", "download", "web", "--json").json["contentType"] == PKCS12


@pytest.mark.parametrize("stored", [PKCS12, PEM])
def test_a_key_that_stays_is_not_downloaded(terminal: Terminal, stored: str) -> None:
    """There are certificates only, and the command says so."""
    make(terminal, stored, "--not-exportable")
    said = terminal("certificate", "download", "web")
    assert b"PRIVATE KEY" not in said.raw
    assert "not exportable" in said.err
    assert load_pkcs12(terminal("certificate", "download", "web", "--format", "pfx").raw, b"").key is None


def test_a_version_is_downloaded(terminal: Terminal) -> None:
    """The one that was named, not the current one."""
    terminal("certificate", "create", "web", "--dns", "web.example", "--curve", "P-256")
    version = terminal("certificate", "show", "web", "--json").json["id"].rpartition("/")[2]
    first = terminal("certificate", "download", "web", "--format", "cer").raw
    terminal("certificate", "renew", "web")
    assert terminal("certificate", "download", "web", "--format", "cer", "--version", version).raw == first
    assert first.strip() in terminal("certificate", "download", "web", "--version", version).raw
    assert terminal("certificate", "download", "web", "--format", "cer").raw != first


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("nobody",), 3),
        (("nobody", "--format", "cer"), 3),
        (("web", "--format", "jks"), 2),
        (("web", "-o", "/no/such/file"), 1),
    ],
)
def test_what_cannot_be_downloaded_has_its_exit_code(terminal: Terminal, words: tuple[str, ...], code: int) -> None:
    """A name, a form or a file that is not there."""
    terminal("certificate", "create", "web", "--dns", "web.example", "--curve", "P-256")
    said = terminal.try_("certificate", "download", *words)
    assert said.code == code
    assert said.err


def test_what_has_no_version_yet_is_not_downloaded(terminal: Terminal) -> None:
    """A request that waits has neither certificate nor secret."""
    terminal("csr", "create", "partner", "--dns", "partner.example", "--curve", "P-256")
    for form in ("cer", "pem", "pfx"):
        assert terminal.try_("certificate", "download", "partner", "--format", form).code == 3
    assert "enabled" in terminal("certificate", "show", "partner").out


@pytest.mark.parametrize("content", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_not_converted(content: bytes) -> None:
    """Neither way."""
    with pytest.raises(BadParameter):
        pem_to_pkcs12(content)
    with pytest.raises(BadParameter):
        pkcs12_to_pem(content)
