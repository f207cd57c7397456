"""Keys put to use from the command line: signatures, ciphers and wrapped keys; OpenSSL has the second opinion."""

import hashlib
import json
import os
import re
import shlex
import stat
import subprocess
import sys
from datetime import timedelta
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest

from certworker.cli.key_ciphers import complete_ciphers, complete_wraps
from certworker.cli.key_signatures import ALGORITHMS, complete_signatures
from certworker.cli.octets import base64url_of, octets_of, received_octets, write_octets
from certworker.vault.key_operations import ALGORITHMS as SERVED
from certworker.vault.key_operations import SIGN, WRAP
from tests.cli.terminal import Terminal

TEXT = "Zwölf Boxkämpfer\n".encode() * 100
WRONG_SIGNATURE = 7


class Screen(StringIO):
    """Standard output that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture
def content(terminal: Terminal) -> Path:
    """Give a file with something in it."""
    file = terminal.folder / "content"
    file.write_bytes(TEXT)
    return file


def openssl(*words: str | Path, stdin: bytes = b"") -> bytes:
    """Call OpenSSL; it must go well."""
    return subprocess.run(["openssl", *words], input=stdin, capture_output=True, check=True).stdout


@pytest.mark.parametrize(
    ("words", "algorithms"),
    [
        ((), ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        (("--curve", "P-256"), ("ES256",)),
        (("--curve", "P-384"), ("ES384",)),
        (("--curve", "P-521"), ("ES512",)),
        (("--curve", "P-256K"), ("ES256K", "es256k")),
        (("--kty", "oct"), ("HS256", "HS384", "HS512")),
    ],
)
def test_a_file_is_signed_and_verified(
    terminal: Terminal, content: Path, words: tuple[str, ...], algorithms: tuple[str, ...]
) -> None:
    """In every algorithm; whatever else is verified ends with an exit code of its own."""
    terminal("key", "create", "k", *words)
    signature = terminal.folder / "signature"
    for algorithm in algorithms:
        alg, by = ("--alg", algorithm), ("--signature", str(signature))
        assert terminal("key", "sign", "k", *alg, "--file", str(content), "-o", str(signature)).out == ""
        assert terminal("key", "verify", "k", *alg, *by, "-f", str(content)).out == "The signature is right.\n"
        assert terminal("key", "verify", "k", *alg, *by, "--json", stdin=TEXT).json == {"value": True}
        said = terminal.try_("key", "verify", "k", *alg, *by, stdin=TEXT + b".")
        assert (said.code, said.out, "The signature is wrong" in said.err) == (WRONG_SIGNATURE, "", True)
        said = terminal.try_("key", "verify", "k", *alg, *by, "--json", stdin=b"")
        assert (said.code, said.json) == (WRONG_SIGNATURE, {"value": False})


@pytest.mark.system("openssl")
@pytest.mark.parametrize(
    ("words", "algorithm", "options"),
    [
        ((), "RS256", ("-sha256",)),
        ((), "PS384", ("-sha384", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:48")),
        (("--curve", "P-521"), "ES512", ("-sha512",)),
    ],
    ids=["RS256", "PS384", "ES512"],
)
def test_openssl_verifies_and_is_verified(
    terminal: Terminal, content: Path, words: tuple[str, ...], algorithm: str, options: tuple[str, ...]
) -> None:
    """What is signed here, by the public key that came out; and what it signs itself, by the key that was taken in."""
    terminal("key", "create", "k", *words)
    public, signature, private = (terminal.folder / name for name in ("public.pem", "signature", "private.pem"))
    terminal("key", "public", "k", "-o", str(public))
    der = ("--der",) if algorithm == "ES512" else ()
    terminal("key", "sign", "k", "--alg", algorithm, *der, "-f", str(content), "-o", str(signature))
    assert b"Verified OK" in openssl("dgst", *options, "-verify", public, "-signature", signature, content)
    kind = ("EC", "-pkeyopt", "ec_paramgen_curve:P-521") if der else ("RSA",)
    openssl("genpkey", "-algorithm", *kind, "-out", private)
    openssl("dgst", *options, "-sign", private, "-out", signature, content)
    terminal("key", "import", "theirs", "--file", str(private))
    verify = ("key", "verify", "theirs", "--alg", algorithm, *der, "-s", str(signature))
    assert terminal(*verify, "-f", str(content)).code == 0
    assert terminal.try_(*verify, stdin=b"").code == WRONG_SIGNATURE


def test_a_digest_is_signed_as_it_is(terminal: Terminal, content: Path) -> None:
    """Of a file that is somewhere else; in base64url, as a terminal shows it, a signature is read as well."""
    terminal("key", "create", "k", "--curve", "P-256")
    digest = hashlib.sha256(TEXT).hexdigest()
    answer = terminal("key", "sign", "k", "--alg", "ES256", "--digest", digest, "--json").json
    verify = ("key", "verify", "k", "--alg", "ES256")
    assert terminal(*verify, "-s", "-", "-f", str(content), stdin=answer["value"] + "\n").code == 0
    raw = terminal("key", "sign", "k", "--alg", "ES256", "--digest", digest.upper()).raw
    assert len(raw) == 64
    assert terminal(*verify, "-s", "-", "--digest", digest, stdin=raw).code == 0
    terminal.world.clock.advance(timedelta(seconds=1))
    terminal("key", "rotate", "k")
    version = answer["kid"].rpartition("/")[2]
    assert terminal.try_(*verify, "-s", "-", "--digest", digest, stdin=raw).code == WRONG_SIGNATURE
    assert terminal(*verify, "-s", "-", "--digest", digest, "--version", version, stdin=raw).code == 0


def test_what_a_terminal_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Base64url with a line end; a pipe gets the octets."""
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    write_octets(None, b"\x1b\xff\xfe")
    write_octets("-", b"\x00")
    assert screen.getvalue() == "G__-\nAA\n"
    pipe = TextIOWrapper(BytesIO())
    monkeypatch.setattr(sys, "stdout", pipe)
    write_octets("-", b"\x1b\xff\xfe")
    pipe.seek(0)
    assert pipe.buffer.read() == b"\x1b\xff\xfe"


def test_octets_are_told_from_their_text() -> None:
    """Padded or not; what is too short to be one, or has a length that none has, is taken as it is."""
    octets = bytes(range(32))
    text = base64url_of(octets).encode()
    for content in (octets, text, text + b"=\n", b" " + text + b"\r\n"):
        assert received_octets(content) == octets
    for content in (b"", b"short", b"a" * 17, text + b"!"):
        assert received_octets(content) == content
    assert octets_of(base64url_of(b"")) == b""


@pytest.mark.parametrize(
    ("words", "algorithms", "text"),
    [
        ((), ("RSA1_5", "RSA-OAEP", "RSA-OAEP-256"), b"\x00\xff"),
        (("--kty", "oct", "--size", "128"), ("A128GCM", "A128CBCPAD", "a128gcm"), TEXT),
        (("--kty", "oct", "--size", "256"), ("A256GCM", "A256CBC", "A256CBCPAD"), TEXT[:1600]),
    ],
)
def test_what_is_encrypted_is_decrypted(
    terminal: Terminal, words: tuple[str, ...], algorithms: tuple[str, ...], text: bytes
) -> None:
    """By the version that encrypted it, though the key has rotated since; the file is for its owner only."""
    terminal("key", "create", "k", *words)
    source, sealed, opened = (terminal.folder / name for name in ("source", "sealed", "opened"))
    source.write_bytes(text)
    for algorithm in algorithms:
        told = terminal("key", "encrypt", "k", "--alg", algorithm, "-f", str(source), "-o", str(sealed), "--json").json
        assert text not in sealed.read_bytes()
        is_json = "iv" in told
        if is_json:
            assert json.loads(sealed.read_text()) == {"alg": algorithm.upper(), **told}
            terminal.world.clock.advance(timedelta(seconds=1))
            terminal("key", "rotate", "k")
        alg = () if is_json else ("--alg", algorithm)
        assert terminal("key", "decrypt", "k", *alg, "-f", str(sealed), "-o", str(opened)).out == ""
        assert opened.read_bytes() == text
        assert stat.S_IMODE(opened.stat().st_mode) == 0o600
        assert terminal("key", "decrypt", "k", "--alg", algorithm, stdin=json.dumps(told)).raw == text


def test_what_was_altered_is_not_decrypted(terminal: Terminal) -> None:
    """Nor what belongs to another text beside it, to another key, or to another algorithm."""
    for name in ("k", "other"):
        terminal("key", "create", name, "--kty", "oct", "--size", "256")
    sealed = terminal("key", "encrypt", "k", "--alg", "A256GCM", "--aad", "row 7", stdin=TEXT).json
    assert octets_of(sealed["aad"]) == b"row 7"
    assert terminal("key", "decrypt", "k", "--aad", "row 7", stdin=json.dumps(sealed)).raw == TEXT
    for change, words, code, message in (
        ({"tag": base64url_of(bytes(16))}, (), 1, "Unable to decrypt"),
        ({"iv": None}, (), 1, "iv"),
        ({"tag": None}, (), 1, "tag"),
        ({}, ("--aad", "row 8"), 1, "Unable to decrypt"),
        ({}, ("--alg", "A256CBC"), 1, "'aad' is not for this"),
        ({"alg": None}, (), 2, "by which algorithm"),
        ({"value": 7}, (), 1, "in base64url"),
        ({"value": None}, (), 1, "in base64url"),
        ({"kid": sealed["kid"].replace("/k/", "/other/")}, (), 1, "with the key other, not with k"),
    ):
        said = terminal.try_("key", "decrypt", "k", *words, stdin=json.dumps({**sealed, **change}))
        assert (said.code, said.out) == (code, ""), (change, said)
        assert message in said.err, (change, said)
    assert terminal.try_("key", "decrypt", "other", "--alg", "A256GCM", stdin=b"{").code == 1


@pytest.mark.system("openssl")
def test_what_openssl_encrypts_is_decrypted(terminal: Terminal, content: Path) -> None:
    """For the public key, which is all that others need."""
    terminal("key", "create", "k", "--size", "2048")
    public, sealed = terminal.folder / "public.pem", terminal.folder / "sealed"
    terminal("key", "public", "k", "-o", str(public))
    content.write_bytes(b"hush")
    oaep = ("-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256")
    openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", public, *oaep, "-in", content, "-out", sealed)
    assert terminal("key", "decrypt", "k", "--alg", "RSA-OAEP-256", "-f", str(sealed)).out == "hush"
    said = terminal.try_("key", "decrypt", "k", "--alg", "RSA-OAEP", "-f", str(sealed))
    assert (said.code, "hush" in said.out + said.err) == (1, False)


@pytest.mark.parametrize(
    ("words", "algorithm"),
    [((), "RSA-OAEP-256"), (("--kty", "oct", "--size", "256"), "A256KW"), (("--kty", "oct"), "CKM_AES_KEY_WRAP_PAD")],
)
def test_a_key_is_wrapped(terminal: Terminal, words: tuple[str, ...], algorithm: str) -> None:
    """By a file, a pipe, and base64url; it comes out as it went in."""
    terminal("key", "create", "k", *words)
    secret, wrapped, alg = os.urandom(32), terminal.folder / "wrapped", ("--alg", algorithm)
    terminal("key", "wrap", "k", *alg, "-o", str(wrapped), stdin=secret)
    assert secret not in wrapped.read_bytes()
    assert terminal("key", "unwrap", "k", *alg, "-f", str(wrapped)).raw == secret
    answer = terminal("key", "wrap", "k", *alg, "--json", stdin=secret).json
    assert terminal("key", "unwrap", "k", *alg, stdin=answer["value"]).raw == secret
    out = terminal.folder / "out"
    terminal("key", "unwrap", "k", *alg, "-o", str(out), stdin=json.dumps(answer))
    assert (out.read_bytes(), stat.S_IMODE(out.stat().st_mode)) == (secret, 0o600)


def test_random_bytes(terminal: Terminal) -> None:
    """As many as were asked for, and others each time."""
    file = terminal.folder / "random"
    assert terminal("key", "random", "32", "-o", str(file)).out == ""
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_bytes()) == 32
    assert terminal("key", "random", "32").raw != file.read_bytes()
    assert len(octets_of(terminal("key", "random", "128", "--json").json["value"])) == 128
    for count, code in (("0", 1), ("129", 1), ("many", 2)):
        assert terminal.try_("key", "random", count).code == code


def test_what_cannot_be_done_says_what_would_be_right(terminal: Terminal, content: Path) -> None:
    """Before anything is read or sent, where that can be; else in the service's words."""
    terminal("key", "create", "e", "--curve", "P-256")
    terminal("key", "create", "off", "--curve", "P-256", "--disabled")
    terminal("key", "create", "o", "--kty", "oct", "--size", "128", "--ops", "encrypt")
    file, digest = str(content), "00" * 32
    for words, code, message in (
        (("sign", "e"), 2, "--alg"),
        (("sign", "e", "--alg", "XS256"), 2, "RS256, RS384"),
        (("sign", "e", "--alg", "RS256"), 1, "incompatible"),
        (("sign", "e", "--alg", "ES256", "--digest", "00"), 2, "32 bytes"),
        (("sign", "e", "--alg", "ES256", "--digest", "zz" * 32), 2, "32 bytes"),
        (("sign", "e", "--alg", "ES256", "--digest", digest, "-f", file), 2, "--digest"),
        (("sign", "e", "--alg", "HS256", "--digest", digest), 2, "HS256 takes no digest"),
        (("sign", "e", "--alg", "RS256", "--der"), 2, "ES256"),
        (("sign", "e", "--alg", "ES256", "-f", file + ".none"), 2, "cannot be read"),
        (("sign", "off", "--alg", "ES256", "-f", file), 4, "disabled"),
        (("sign", "nobody", "--alg", "ES256", "-f", file), 3, "nobody"),
        (("verify", "e", "--alg", "ES256", "-s", "-"), 2, "standard input"),
        (("verify", "e", "--alg", "ES256", "-s", file, "--der", "--digest", digest), 1, "no DER"),
        (("verify", "e", "--alg", "ES256", "-s", file, "--digest", digest), WRONG_SIGNATURE, "wrong"),
        (("encrypt", "e", "--alg", "RSA-OAEP", "-f", file), 4, "not permitted"),
        (("encrypt", "o", "--alg", "A256GCM", "-f", file), 1, "A128GCM"),
        (("encrypt", "o", "--alg", "A128CBC", "-f", file), 1, "multiple of 16"),
        (("encrypt", "o", "--alg", "A128CBCPAD", "--aad", "x", "-f", file), 1, "aad"),
        (("decrypt", "o", "--alg", "A128GCM", "-f", file), 4, "not permitted"),
        (("wrap", "o", "--alg", "A128KW", "-f", file), 4, "not permitted"),
    ):
        said = terminal.try_("key", *words)
        assert (said.code, said.out) == (code, ""), (words, said)
        assert message in said.err.replace("\n", " "), (words, said)


def test_the_readme_at_work(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line that it shows of keys does what it says, in their order."""
    monkeypatch.chdir(terminal.folder)
    for name in ("contract.pdf", "plan.txt"):
        Path(name).write_bytes(TEXT)
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    lines = re.findall(r"^certworker (key .*)$", readme, re.MULTILINE)
    for line in lines:
        terminal(*shlex.split(line, comments=True))
    assert Path("plan.txt").read_bytes() == TEXT
    assert stat.S_IMODE(Path("plan.txt").stat().st_mode) == 0o600
    verb = ("key", "verify", "signer", "--alg", "ES256", "--signature", "contract.sig")
    assert (terminal.try_(*verb, "--file", "plan.json").code, len(lines)) == (WRONG_SIGNATURE, 8)


def test_every_algorithm_has_its_place() -> None:
    """The terminal knows all that the service signs by, and completes what it is asked for."""
    assert set(ALGORITHMS) == SERVED[SIGN]
    assert complete_signatures("hs") == ["HS256", "HS384", "HS512"]
    assert complete_ciphers("rsa-") == ["RSA-OAEP", "RSA-OAEP-256"]
    assert set(complete_wraps("")) == SERVED[WRAP]
