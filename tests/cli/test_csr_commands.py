"""Certificate signing requests from the command line: made, shown, merged, cancelled."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from certworker.crypto.x509 import sign_csr, to_pem
from tests.cli.terminal import Terminal

INTERNAL = ("certificate", "create", "internal", "--dns", "internal.example", "--curve", "P-256")


def signed(terminal: Terminal, pem: bytes) -> tuple[bytes, bytes]:
    """Sign a CSR as a CA would; give the leaf and the root as DER."""
    csr = x509.load_pem_x509_csr(pem).public_bytes(Encoding.DER)
    authority, at = terminal.world.authority, terminal.world.clock()
    return sign_csr(csr, authority.root, authority._key, at, at + timedelta(days=90)), authority.root


def test_a_request_is_printed_as_pem(terminal: Terminal) -> None:
    """Standard output holds the request and nothing else; what to do next is told beside it."""
    said = terminal("csr", "create", "partner", "--dns", "partner.example", "--dns", "www.partner.example", "--ip", "192.0.2.7")
    csr = x509.load_pem_x509_csr(said.raw)
    assert csr.subject.rfc4514_string() == "CN=partner.example"
    names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["partner.example", "www.partner.example"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7"]
    assert isinstance(csr.public_key(), rsa.RSAPublicKey)
    assert "csr merge partner" in said.err


def test_a_request_has_the_key_that_was_asked_for(terminal: Terminal) -> None:
    """On the curve that was named, and not to be taken out."""
    file = terminal.folder / "partner.csr"
    said = terminal(
        "csr", "create", "partner", "--subject", "CN=p,O=Contoso", "--curve", "P-384", "--not-exportable", "-o", str(file)
    )
    assert said.out == ""
    key = x509.load_pem_x509_csr(file.read_bytes()).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp384r1"
    policy = terminal("certificate", "policy", "show", "partner").json
    assert policy["key_props"]["exportable"] is False
    assert policy["issuer"]["name"] == "Unknown"


@pytest.mark.parametrize(
    "options",
    [
        ("--key-type", "EC", "--key-size", "2048"),
        ("--key-type", "RSA", "--curve", "P-256"),
        ("--key-type", "DSA"),
        ("--key-size", "many"),
    ],
)
def test_options_that_do_not_go_together_are_a_wrong_command_line(terminal: Terminal, options: tuple[str, ...]) -> None:
    """Nothing is asked of the server."""
    assert terminal.try_("csr", "create", "partner", "--dns", "partner.example", *options).code == 2


def test_a_request_for_nobody_is_a_wrong_command_line(terminal: Terminal) -> None:
    """It needs a name, unless the certificate has a policy that goes the same way."""
    said = terminal.try_("csr", "create", "partner")
    assert said.code == 2
    assert "--subject or a --dns" in said.err


def test_what_the_service_refuses_is_told_in_its_words(terminal: Terminal) -> None:
    """A DNS name that is none, with the name of the field."""
    said = terminal.try_("csr", "create", "partner", "--subject", "CN=x", "--dns", "not a name")
    assert said.code == 1
    assert "x509_props.sans.dns_names" in said.err
    assert said.err.count("\n") == 1


def test_a_pending_request_is_in_the_way(terminal: Terminal) -> None:
    """The error says how it is shown and how it is cancelled."""
    terminal("csr", "create", "partner", "--dns", "partner.example")
    said = terminal.try_("csr", "create", "partner", "--dns", "partner.example")
    assert said.code == 5
    assert "certworker csr show partner" in said.err
    assert "certworker csr cancel partner" in said.err


def test_requests_are_listed_and_shown(terminal: Terminal) -> None:
    """Only those that somebody has to sign."""
    terminal(*INTERNAL)
    first = terminal("csr", "create", "partner", "--dns", "partner.example").raw
    terminal("csr", "create", "other", "--dns", "other.example", "--json")
    assert [row[:2] for row in terminal("csr", "list").table()] == [["other", "inProgress"], ["partner", "inProgress"]]
    listed = terminal("csr", "list", "--json").json
    assert [operation["issuer"] for operation in listed["value"]] == [{"name": "Unknown"}] * 2
    assert terminal("csr", "show", "PARTNER").raw == first
    assert terminal("csr", "show", "partner", "--json").json["status"] == "inProgress"
    assert terminal.try_("csr", "show", "nobody").code == 3


def test_a_request_is_cancelled(terminal: Terminal) -> None:
    """Its name is free at once, and it cannot be cancelled twice."""
    terminal("csr", "create", "partner", "--dns", "partner.example")
    assert terminal("csr", "cancel", "partner").out == "The request of partner is cancelled.\n"
    assert terminal.try_("csr", "cancel", "partner").code == 3
    assert terminal("csr", "create", "partner", "--dns", "partner.example", "--json").json["status"] == "inProgress"


def test_what_is_complete_cannot_be_cancelled(terminal: Terminal) -> None:
    """It stays as it is."""
    terminal(*INTERNAL)
    said = terminal.try_("csr", "cancel", "internal")
    assert said.code == 5
    assert "completed" in said.err
    assert "Nothing waits" in terminal("csr", "show", "internal").err


@pytest.mark.parametrize("form", ["pem", "der", "pkcs7", "pkcs7-pem", "chain", "stdin"])
def test_what_the_ca_sends_is_merged(terminal: Terminal, tmp_path: Path, form: str) -> None:
    """Certificate and chain in whatever form they come."""
    leaf, root = signed(terminal, terminal("csr", "create", "partner", "--dns", "partner.example", "--curve", "P-256").raw)
    both = [x509.load_der_x509_certificate(leaf), x509.load_der_x509_certificate(root)]
    contents = {
        "pem": (to_pem([leaf, root]),),
        "der": (leaf, root),
        "pkcs7": (pkcs7.serialize_certificates(both, Encoding.DER),),
        "pkcs7-pem": (pkcs7.serialize_certificates(both, Encoding.PEM),),
        "chain": (leaf, to_pem([root])),
        "stdin": (to_pem([root, leaf]),),
    }[form]
    files = [tmp_path / f"{number}.crt" for number in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    words = {"stdin": ("-",), "chain": (str(files[0]), "--chain", str(files[-1]))}.get(form, tuple(map(str, files)))
    said = terminal("csr", "merge", "partner", *words, stdin=contents[0] if form == "stdin" else b"")
    assert "valid until 2026-04-01T00:00:00Z" in said.out
    pem = terminal("certificate", "download", "partner").raw
    assert pem.count(b"BEGIN CERTIFICATE") == 2
    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----")


def test_a_merged_certificate_gets_its_next_request_by_name_alone(terminal: Terminal, tmp_path: Path) -> None:
    """The policy that it has is gone by, with a new key."""
    first = terminal("csr", "create", "partner", "--dns", "partner.example", "--curve", "P-256").raw
    (tmp_path / "chain.pem").write_bytes(to_pem(signed(terminal, first)))
    bundle = terminal("csr", "merge", "partner", str(tmp_path / "chain.pem"), "--json").json
    assert bundle["attributes"]["exp"] == int(datetime(2026, 4, 1, tzinfo=UTC).timestamp())
    second = x509.load_pem_x509_csr(terminal("csr", "create", "partner").raw)
    assert second.subject.rfc4514_string() == "CN=partner.example"
    assert second.public_key() != x509.load_pem_x509_csr(first).public_key()


def test_a_certificate_that_another_signs_is_not_changed_by_name_alone(terminal: Terminal) -> None:
    """Whoever wants another policy says which."""
    terminal(*INTERNAL)
    said = terminal.try_("csr", "create", "internal")
    assert said.code == 5
    assert "issued by Self" in said.err


def test_what_does_not_fit_is_not_merged(terminal: Terminal, tmp_path: Path) -> None:
    """Neither a file that holds no certificate, nor one that is not there, nor a certificate for another key."""
    terminal("csr", "create", "partner", "--dns", "partner.example", "--curve", "P-256")
    (tmp_path / "text").write_text("hello")
    said = terminal.try_("csr", "merge", "partner", str(tmp_path / "text"))
    assert said.code == 1
    assert str(tmp_path / "text") in said.err
    assert terminal.try_("csr", "merge", "partner", str(tmp_path / "missing")).code == 2
    assert terminal.try_("csr", "merge", "partner").code == 2
    (tmp_path / "root.der").write_bytes(terminal.world.authority.root)
    assert terminal.try_("csr", "merge", "partner", str(tmp_path / "root.der")).code == 1
    assert terminal("csr", "show", "partner", "--json").json["status"] == "inProgress"
