"""Keys from the command line: made, imported, shown, changed, rotated, put away; private keys come by files only."""

import json
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)

from certworker.cli.options import complete_keys
from certworker.crypto.key_files import read_private_pem
from tests.api.world import TestAuthority, serve_world
from tests.cli.terminal import Said, Terminal
from tests.support.clock import FakeClock
from tests.support.softhsm import SoftToken

PASSWORD = "correct horse"
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256K1())


def create(terminal: Terminal, name: str = "k", *words: str) -> str:
    """Make a key; give its version."""
    told = terminal("key", "create", name, *(words or ("--curve", "P-256"))).out
    assert told.startswith(f"{name} is version ")
    return told.rpartition("version ")[2].split(",")[0].rstrip(".\n")


def fields_of(said: Said) -> dict[str, str]:
    """Read the fields that were shown."""
    return {name: value.strip() for name, value in (line.split("  ", 1) for line in said.out.splitlines())}


def pem_of(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: str = "") -> bytes:
    """Write a private key as PKCS#8."""
    protection = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)


@pytest.mark.parametrize(
    ("words", "described"),
    [
        ((), "RSA 2048"),
        (("--size", "3072"), "RSA 3072"),
        (("--curve", "P-521"), "EC P-521"),
        (("--kty", "EC", "--curve", "P-256K"), "EC P-256K"),
        (("--key-type", "ec"), "EC P-256"),
        (("--kty", "oct", "--size", "192"), "oct"),
    ],
)
def test_a_key_is_what_was_asked_for(terminal: Terminal, words: tuple[str, ...], described: str) -> None:
    """Of the type that the options name, or that goes with them."""
    terminal("key", "create", "k", *words)
    assert fields_of(terminal("key", "show", "k"))["key"] == described


def test_a_key_is_shown(terminal: Terminal) -> None:
    """What it may do, and when; a table and JSON tell the same."""
    words = ("--curve", "P-256", "--ops", "sign,verify", "--not-before", "2026-01-01", "--expires", "2027-01-31T12:00:00Z")
    version = create(terminal, "k", *words, "--tag", "team=a", "--disabled")
    fields = fields_of(terminal("key", "show", "k"))
    assert fields["id"] == f"{terminal.world.vault_url}/keys/k/{version}"
    assert (fields["may"], fields["enabled"], fields["tags"]) == ("sign, verify", "no", "team=a")
    assert (fields["valid from"], fields["valid until"]) == ("2026-01-01T00:00:00Z", "2027-01-31T12:00:00Z")
    assert "in a token" not in fields
    assert terminal("key", "list").table() == [["k", "no", "2027-01-31T12:00:00Z", "no"]]
    terminal("certificate", "create", "web", "--dns", "web.example", "--curve", "P-256")
    assert terminal("key", "list").table()[1][-1] == "yes"
    assert fields_of(terminal("key", "show", "web"))["of a certificate"] == "yes"
    assert terminal("key", "show", "k", "--json").json["key"]["crv"] == "P-256"
    assert len(terminal("key", "list", "--json").json["value"]) == 2


@pytest.mark.long
def test_a_long_list_and_completion(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page after page in one answer; names complete."""
    for number in range(26):
        create(terminal, f"k{number:02}")
    assert len(terminal("key", "list").table()) == 26
    for name, value in terminal.environment().items():
        monkeypatch.setenv(name, value)
    assert complete_keys("K2") == [f"k{number}" for number in range(20, 26)]


def test_versions_and_rotation(terminal: Terminal) -> None:
    """A rotation makes a version of the same kind; each one can be shown, the oldest comes first."""
    first = create(terminal, "k", "--curve", "P-384")
    terminal.world.clock.advance(timedelta(seconds=1))
    second = terminal("key", "rotate", "k", "--json").json["key"]["kid"].rpartition("/")[2]
    assert [row[0] for row in terminal("key", "versions", "k").table()] == [first, second]
    assert terminal("key", "show", "k", "--version", first, "--json").json["key"]["crv"] == "P-384"
    assert terminal("key", "show", "k", "--json").json["key"]["crv"] == "P-384"
    assert terminal.try_("key", "show", "k", "--version", "0" * 32).code == 3


def test_an_update(terminal: Terminal) -> None:
    """What is named changes, and nothing else; nothing to change is a wrong command line."""
    version = create(terminal, "k", "--curve", "P-256", "--tag", "a=b")
    terminal("key", "rotate", "k")
    update = ("key", "update", "k", "--json")
    changed: Any = terminal(*update, "--version", version, "--disable", "--expires", "2027-01-01").json
    assert (changed["attributes"]["enabled"], changed["attributes"]["exp"]) == (False, 1_798_761_600)
    assert (changed["tags"], changed["key"]["key_ops"]) == ({"a": "b"}, ["sign", "verify"])
    assert terminal(*update, "--ops", "verify", "--tag", "x=y").json["key"]["key_ops"] == ["verify"]
    assert "tags" not in terminal(*update, "--no-tags").json
    assert fields_of(terminal("key", "update", "k", "--ops", ""))["may"] == "nothing"
    for words in ((), ("--tag", "x"), ("--not-before", "tomorrow"), ("--tag", "a=b", "--no-tags")):
        assert terminal.try_(*update, *words).code == 2, words
    said = terminal.try_(*update, "--ops", "encrypt")
    assert (said.code, "sign, verify" in said.err) == (1, True)


@pytest.mark.parametrize("key", [RSA, EC], ids=["RSA", "EC"])
def test_a_private_key_is_imported(terminal: Terminal, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    """From PEM, from PEM with a password, and from a JWK; by a file or standard input. Its public half comes out again."""
    plain, locked, jwk, word = (terminal.folder / name for name in ("k.pem", "locked.pem", "k.jwk", "word"))
    plain.write_bytes(pem_of(key))
    locked.write_bytes(pem_of(key, PASSWORD))
    members = read_private_pem(pem_of(key), None) | {"kid": "mine", "use": "sig", "ext": True}
    jwk.write_text(json.dumps(members | ({"crv": "secp256k1"} if "crv" in members else {})))
    word.write_text(f"{PASSWORD}\n")
    for words, stdin in (
        (("--file", str(plain)), b""),
        (("--file", str(locked)), f"{PASSWORD}\n".encode()),
        (("--file", str(locked), "--password-file", str(word)), b""),
        (("--file", "-", "--password-file", str(word)), locked.read_bytes()),
        (("--file", str(jwk)), b""),
        (("-f", "-"), jwk.read_bytes()),
    ):
        terminal("key", "import", "k", *words, stdin=stdin)
        assert load_pem_public_key(terminal("key", "public", "k").raw) == key.public_key(), words
        terminal.world.clock.advance(timedelta(seconds=1))
    assert len(terminal("key", "versions", "k").table()) == 6
    said = terminal("key", "import", "k", "-f", str(plain), "--ops", "verify", "--tag", "a=b", "--disabled", "--json").json
    assert (said["key"]["key_ops"], said["tags"], said["attributes"]["enabled"]) == (["verify"], {"a": "b"}, False)
    assert "d" not in said["key"]


def test_a_public_key_goes_into_a_file(terminal: Terminal) -> None:
    """As PEM, or as a JWK as others have it; an oct key has none."""
    create(terminal, "k", "--curve", "P-256K")
    file = terminal.folder / "public"
    assert terminal("key", "public", "k", "-o", str(file)).out == ""
    assert isinstance(load_pem_public_key(file.read_bytes()), ec.EllipticCurvePublicKey)
    shown = terminal("key", "public", "k", "--format", "jwk").json
    assert (shown["kty"], shown["crv"], set(shown)) == ("EC", "secp256k1", {"kid", "kty", "crv", "x", "y"})
    create(terminal, "o", "--kty", "oct")
    said = terminal.try_("key", "public", "o")
    assert (said.code, said.out, "has no public half" in said.err) == (1, "", True)


def test_what_cannot_be_imported(terminal: Terminal) -> None:
    """Says what would be right, and nothing of the key; nothing is stored."""
    locked, public = pem_of(EC, PASSWORD), {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}
    for words, stdin, code, message in (
        (("-f", str(terminal.folder / "missing")), b"", 2, "cannot be read"),
        ((), pem_of(EC), 2, "--file"),
        (("-f", "-", "--password-file", "-"), locked, 2, "only one of"),
        (("-f", "-"), locked, 2, "--password-file"),
        (("-f", "-"), b"junk", 1, "PKCS#8, PKCS#1 or SEC 1"),
        (("-f", "-"), b"[1]", 1, "JSON with a kty"),
        (("-f", "-"), b'{"keys": []}', 1, "JSON with a kty"),
        (("-f", "-"), json.dumps(public).encode(), 1, "is a public key"),
        (("-f", "-"), json.dumps({**public, "d": "AA"}).encode(), 1, "key.x"),
        (("-f", "-"), b'{"kty": "oct", "k": "c2hvcnQ"}', 1, "128, 192 or 256"),
        (("-f", "-"), pem_of(EC) + pem_of(RSA), 1, "There are 2 private keys"),
    ):
        said = terminal.try_("key", "import", "k", *words, stdin=stdin)
        assert (said.code, said.out) == (code, ""), said
        assert message in said.err.replace("\n", " "), said
        assert "c2hvcnQ" not in said.err
    file = terminal.folder / "locked.pem"
    file.write_bytes(locked)
    for password, message in ((b"wrong\n", "The password does not open"), (b"", "standard input, which is empty")):
        said = terminal.try_("key", "import", "k", "-f", str(file), stdin=password)
        assert (said.code, message in said.err) == (1, True), said
    assert terminal("key", "list").table() == []


def test_a_policy_is_set_and_shown(terminal: Terminal) -> None:
    """By options or by a file; what `show` prints, `set` takes; the service's own words tell what cannot be."""
    create(terminal)
    options = ("--rotate-after", "P90D", "--notify-before", "P30D", "--expiry-time", "P1Y")
    assert terminal("key", "policy", "set", "k", *options).out == "The rotation policy of k is set.\n"
    policy = terminal("key", "policy", "show", "k").json
    assert policy["attributes"]["expiryTime"] == "P1Y"
    assert policy["lifetimeActions"] == [
        {"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "Rotate"}},
        {"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}},
    ]
    assert "valid until 2027-01-01" in terminal("key", "rotate", "k").out
    before = terminal("key", "policy", "set", "k", "--rotate-before", "P10D", "--expiry-time", "P28D", "--json").json
    assert before["lifetimeActions"] == [
        {"trigger": {"timeBeforeExpiry": "P10D"}, "action": {"type": "Rotate"}},
        {"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}},
    ]
    file = terminal.folder / "policy.json"
    file.write_text(json.dumps(policy))
    assert terminal("key", "policy", "set", "k", "-f", str(file), "--json").json["lifetimeActions"] == policy["lifetimeActions"]
    for words, stdin, code in (
        ((), "", 2),
        ((*options, "--file", str(file)), "", 2),
        (("--rotate-after", "P90D", "--rotate-before", "P30D"), "", 2),
        (("-f", "-"), "{", 2),
        (("-f", "-"), "{}", 2),
        (("--rotate-after", "90"), "", 1),
        (("--rotate-after", "P1D"), "", 1),
        (("--rotate-before", "P30D"), "", 1),
    ):
        said = terminal.try_("key", "policy", "set", "k", *words, stdin=stdin)
        assert (said.code, said.out) == (code, ""), words
    assert terminal.try_("key", "policy", "show", "nobody").code == 3


def test_deleted_recovered_purged(terminal: Terminal) -> None:
    """In the words of the commands for certificates and secrets; a certificate's key is not deleted alone."""
    create(terminal)
    assert "until 2026-04-01T00:00:00Z it can be recovered" in terminal("key", "delete", "k").out
    assert terminal.try_("key", "show", "k").code == 3
    assert terminal("key", "list", "--deleted").table() == [["k", "yes", "-", "no", "2026-04-01T00:00:00Z"]]
    assert terminal.try_("key", "create", "k").code == 5
    assert terminal("key", "recover", "k").out == "k is back.\n"
    terminal("key", "delete", "k", "--json")
    assert terminal("key", "purge", "k").out == "k is gone.\n"
    assert terminal.try_("key", "purge", "k").code == 3
    create(terminal)
    terminal("key", "delete", "k")
    with terminal.world.house.store.writing() as writer:
        writer.replace_vault(replace(terminal.world.vault, purge_protection=True))
    said = terminal.try_("key", "purge", "k")
    assert (said.code, "purge protection is enabled" in said.err) == (4, True)


def test_a_backup_is_a_file(terminal: Terminal, tmp_path: Path) -> None:
    """For its owner only; it brings back what was purged, with the same public key."""
    version, file = create(terminal), tmp_path / "k.backup"
    public = terminal("key", "public", "k").out
    terminal("key", "backup", "k", "-o", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert terminal.try_("key", "restore", str(file)).code == 5
    for word in ("delete", "purge"):
        terminal("key", word, "k")
    assert terminal("key", "restore", "-", stdin=file.read_bytes()).out == f"k is back, at version {version}.\n"
    assert terminal("key", "public", "k").out == public
    assert terminal.try_("key", "backup", "nobody", "-o", str(file)).code == 3
    assert terminal.try_("key", "restore", "-", stdin="junk").code == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("create", "k", "--kty", "DSA"), 2, "rsa-hsm"),
        (("create", "k", "--kty", "EC", "--size", "2048"), 2, "--curve"),
        (("create", "k", "--kty", "oct", "--curve", "P-256"), 2, "--size"),
        (("create", "k", "--size", "1024"), 1, "2048, 3072, 4096"),
        (("create", "k", "--curve", "P-1"), 1, "P-256, P-384"),
        (("create", "k", "--ops", "sing"), 1, "sign, "),
        (("create", "k", "--expires", "2020-01-01", "--not-before", "2021-01-01"), 1, "attributes.nbf"),
        (("create", "k", "--kty", "RSA-HSM"), 1, "premium"),
        (("create", "k_k"), 1, "name"),
        (("create", ""), 2, "letters"),
        (("create",), 2, "Missing argument"),
        (("show", "nobody"), 3, "nobody"),
        (("show", "../secrets"), 1, "name"),
        (("rotate", "nobody"), 3, "nobody"),
        (("delete", "nobody"), 3, "nobody"),
        (("recover", "nobody"), 3, "nobody"),
        (("frobnicate",), 2, "frobnicate"),
    ],
)
def test_what_cannot_be_done_has_its_exit_code(terminal: Terminal, words: tuple[str, ...], code: int, message: str) -> None:
    """It is said on standard error only, with what would be right."""
    said = terminal.try_("key", *words)
    assert (said.code, said.out) == (code, ""), said
    assert message in said.err, said


@pytest.mark.system("softhsm2-util")
def test_keys_in_a_token(tmp_path: Path, clock: FakeClock, authority: TestAuthority, soft_token: SoftToken) -> None:
    """They are made and taken in there, told apart from the others, and do what keys do; no file brings them out."""
    with serve_world(tmp_path, clock, authority, soft_token.settings) as world:
        terminal = Terminal(world, authority, tmp_path)
        terminal("key", "create", "r", "--kty", "rsa-hsm")
        fields = fields_of(terminal("key", "show", "r"))
        assert (fields["key"], fields["in a token"]) == ("RSA-HSM 2048", "yes")
        terminal("key", "import", "e", "--hsm", "-f", "-", stdin=pem_of(EC))
        assert fields_of(terminal("key", "show", "e"))["key"] == "EC-HSM P-256K"
        assert load_pem_public_key(terminal("key", "public", "e").raw) == EC.public_key()
        signature = terminal("key", "sign", "e", "--alg", "ES256K", "--der", stdin=b"text").raw
        EC.public_key().verify(signature, b"text", ec.ECDSA(SHA256()))
        said = terminal.try_("key", "backup", "r", "-o", str(tmp_path / "r.backup"))
        assert (said.code, (tmp_path / "r.backup").exists()) == (4, False)
