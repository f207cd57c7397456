"""Certificates that come in as files: imported, and brought back from a backup."""

import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12, serialize_key_and_certificates

from tests.cli.terminal import Terminal

PASSWORD = "a password that is told to nobody"


def exported(terminal: Terminal, form: str) -> bytes:
    """Make a certificate and take it out."""
    terminal("certificate", "create", "web", "--dns", "web.example", "--curve", "P-256")
    return terminal("certificate", "download", "web", "--format", form).raw


def locked(pfx: bytes) -> bytes:
    """Put a password on PKCS#12."""
    found = load_pkcs12(pfx, b"")
    assert found.cert is not None
    key, lock = found.key, BestAvailableEncryption(PASSWORD.encode())
    return serialize_key_and_certificates(b"web", key, found.cert.certificate, None, lock)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["pem", "pfx"])
@pytest.mark.parametrize("by_stdin", [False, True])
def test_a_certificate_is_imported(terminal: Terminal, form: str, *, by_stdin: bool) -> None:
    """What comes out again is what went in, in the form in which it went in."""
    content = exported(terminal, form)
    file = terminal.folder / f"web.{form}"
    file.write_bytes(content)
    said = terminal("certificate", "import", "copy", "-" if by_stdin else str(file), stdin=content if by_stdin else b"")
    assert "copy is version" in said.out
    assert "valid until 2027-01-01T00:00:00Z" in said.out
    cer = ("--format", "cer")
    assert terminal("certificate", "download", "copy", *cer).raw == terminal("certificate", "download", "web", *cer).raw
    stored = terminal("certificate", "download", "copy", "--json").json["contentType"]
    assert stored == {"pem": "application/x-pem-file", "pfx": "application/x-pkcs12"}[form]
    assert "issuer       Unknown" in terminal("certificate", "show", "copy").out


def test_a_password_comes_from_a_file(terminal: Terminal) -> None:
    """A wrong one is refused in the service's words, and none of them is shown."""
    file, password = terminal.folder / "web.pfx", terminal.folder / "password"
    file.write_bytes(locked(exported(terminal, "pfx")))
    password.write_text(f"{PASSWORD}\r\n")
    words = ("certificate", "import", "copy", str(file))
    said = terminal.try_(*words, "--password-file", "-", stdin="wrong")
    assert said.code == 1
    assert "wrong" not in said.err.split("password", maxsplit=1)[0]
    imported = terminal(*words, "--password-file", str(password), "--json")
    assert imported.json["attributes"]["enabled"]
    assert PASSWORD not in imported.out + imported.err
    assert terminal.try_("certificate", "import", "copy", "-", "--password-file", "-").code == 2
    assert x509.load_pem_x509_certificate(terminal("certificate", "download", "copy").raw)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_not_imported(terminal: Terminal, content: bytes) -> None:
    """One line says why."""
    said = terminal.try_("certificate", "import", "copy", "-", stdin=content)
    assert said.code == 1
    assert said.err.count("\n") == 1
    assert terminal.try_("certificate", "import", "copy", "/no/such/file").code == 2


def test_a_backup_brings_a_certificate_back(terminal: Terminal) -> None:
    """With all its versions, after it was purged; the file is for its owner only."""
    exported(terminal, "pem")
    terminal("certificate", "renew", "web")
    before = terminal("certificate", "download", "web").raw
    file = terminal.folder / "web.backup"
    terminal("certificate", "backup", "web", "-o", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"PRIVATE" not in file.read_bytes()
    assert terminal.try_("certificate", "restore", str(file)).code == 5
    terminal("certificate", "delete", "web")
    terminal("certificate", "purge", "web")
    assert terminal("certificate", "restore", "-", stdin=file.read_bytes()).out.startswith("web is back, at version ")
    assert terminal("certificate", "download", "web").raw == before
    assert terminal.try_("certificate", "backup", "nobody", "-o", "-").code == 3
    assert terminal.try_("certificate", "backup", "web").code == 2
    assert terminal.try_("certificate", "restore", "-", stdin="nonsense").code == 1
