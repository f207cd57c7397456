"""What people bring: a certificate with its private key and its chain, as PKCS#12 (RFC 7292) or PEM (RFC 7468).

No error repeats what was sent: not the password, and nothing of the key.
"""

import json
import re
import signal
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certworker.crypto import pkcs12_opener
from certworker.crypto.ber import Element, count_key_bags, read_elements, stretching_rounds
from certworker.crypto.keys import CURVES, RSA_SIZES, private_der, public_der
from certworker.crypto.x509 import MAX_CHAIN, read_certificate
from certworker.errors import BadParameter, KeyMismatch, Unavailable

MOST_ROUNDS = 2_000_000
"""How much stretching of passwords a file may ask for; a second or two of a core."""
MOST_BLOCKS = 2 * (MAX_CHAIN + 1) + 10
"""How many blocks a PEM text may have: the certificates, some of them twice, the key, and what is put beside it."""
OPENING_SECONDS = 30.0
_OPENER = (sys.executable, "-I", pkcs12_opener.__file__)
_OUT_OF_TIME = (-signal.SIGXCPU, -signal.SIGKILL)

_NOT_PKCS12 = (
    "The specified PKCS#12 X.509 certificate content can not be read. Please check if certificate is in valid PKCS#12 format."
)
_NOT_PEM = "The specified PEM X.509 certificate content is in an unexpected format. Please check if certificate is in valid PEM format."  # noqa: E501
_MISMATCH = (
    "The public key of the end-entity certificate in the specified X.509 certificate content does not match the public part of "
    "the specified private key. Please check if certificate is valid."
)
_NO_KEY = (
    "Private key is not specified in the specified X.509 certificate content. Please specify private key in the X.509 "
    "certificate content."
)
_BLOCK = re.compile(rb"-----BEGIN (?P<label>[A-Z0-9 ]+)-----(?P<body>.*?)-----END (?P=label)-----", re.DOTALL)
_BEGIN = b"-----BEGIN "
_CERTIFICATES = (b"CERTIFICATE", b"X509 CERTIFICATE")
_IGNORED = (b"EC PARAMETERS", b"DH PARAMETERS")
"""What `openssl ecparam` and web servers put beside a key; it says nothing about the certificate."""
_KEYS = (b"PRIVATE KEY", b"ENCRYPTED PRIVATE KEY", b"RSA PRIVATE KEY", b"EC PRIVATE KEY")
_LEGACY_ENCRYPTION = b"Proc-Type: 4,ENCRYPTED"


@dataclass(frozen=True, slots=True, repr=False)
class KeyedCertificate:
    """A private key as DER PKCS#8, the certificate for it, and the other certificates in the order in which they came."""

    private_key: bytes
    leaf: bytes
    others: tuple[bytes, ...]


def is_pem(data: bytes) -> bool:
    """Whether `data` has the look of PEM."""
    return _BEGIN in data


def read_pkcs12(data: bytes, password: str | None) -> KeyedCertificate:
    """Read a PKCS#12 file with a key and its certificate.

    Raises BadParameter where it cannot be read, does not open, has no key, several or an unfit one; KeyMismatch.
    """
    elements = _pfx_elements(data)
    _check_work(elements)
    if count_key_bags(elements) > 1:
        raise _several_keys()
    key, certificates = _open_pkcs12(data, password)
    if not key:
        raise BadParameter(_NO_KEY, "value")
    return _pair(accept_key(serialization.load_der_private_key(key, None, unsafe_skip_rsa_key_validation=True)), certificates)


def _pfx_elements(data: bytes) -> tuple[Element, ...]:
    try:
        elements = read_elements(data)
    except ValueError:
        raise BadParameter(_NOT_PKCS12, "value") from None
    if len(elements) != 1 or not elements[0].inner or elements[0].inner[0].content != b"\x03":
        raise BadParameter(_NOT_PKCS12, "value")
    return elements


def _open_pkcs12(data: bytes, password: str | None) -> tuple[bytes, list[x509.Certificate]]:
    """Open a file in a process that the system ends where it takes too long; give the key, if any, and the certificates."""
    given = (password or "").encode()
    try:
        done = subprocess.run(  # noqa: S603  # a program of our own, and what is sent goes to its standard input
            _OPENER,
            input=len(given).to_bytes(pkcs12_opener.LENGTH_BYTES, "big") + given + data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=OPENING_SECONDS,
            check=True,
            start_new_session=True,  # who stops the service with Ctrl-C does not break an import that is under way
        )
    except subprocess.TimeoutExpired:
        raise Unavailable("The service is too busy to open the content. Try again later.") from None
    except subprocess.CalledProcessError as error:
        # nothing of it is passed on: its output could hold the key
        if error.returncode in _OUT_OF_TIME:
            raise BadParameter("The content asks for too much work to be opened.", "value") from None
        raise BadParameter(_NOT_PKCS12, "value") from None
    found = json.loads(done.stdout)
    match found.get("error"):
        case None:
            return b64decode(found["key"]), [x509.load_der_x509_certificate(b64decode(one)) for one in found["certificates"]]
        case pkcs12_opener.UNSUPPORTED:
            raise BadParameter(f"{_NOT_PKCS12} It holds something that is not supported here.", "value")
        case pkcs12_opener.UNREADABLE:
            raise BadParameter(_NOT_PKCS12, "value")
    raise _wrong_password(password)


def read_pem(data: bytes, password: str | None) -> KeyedCertificate:
    """Read PEM with one private key and its certificate, in any order. Raises as `read_pkcs12` does."""
    begun = data.count(_BEGIN)
    if begun > MOST_BLOCKS:
        # each block without an end is looked for in all that follows
        raise BadParameter(f"The PEM content has {begun} blocks; at most {MOST_BLOCKS} are taken.", "value")
    blocks = list(_BLOCK.finditer(data))
    if len(blocks) != begun:
        raise BadParameter(f"{_NOT_PEM} A block has no end.", "value")
    keys, certificates = [], []
    for block in blocks:
        label = block["label"]
        if label in _CERTIFICATES:
            certificates.append(_load_certificate(block["body"]))
        elif label.endswith(b"PRIVATE KEY"):
            keys.append(block)
        elif label not in _IGNORED:
            message = f"The PEM content holds a block {label.decode()}, which is no part of a certificate with its key."
            raise BadParameter(message, "value")
    if len(keys) > 1:
        raise _several_keys()
    if not keys:
        raise BadParameter(_NO_KEY, "value")
    return _pair(_load_key(keys[0]["label"], keys[0]["body"], password), certificates)


def _load_certificate(body: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(_decode(body))
    except ValueError:
        raise BadParameter(f"{_NOT_PEM} One of its certificates cannot be read.", "value") from None


def _load_key(label: bytes, body: bytes, password: str | None) -> bytes:
    encrypted = label == b"ENCRYPTED PRIVATE KEY" or _LEGACY_ENCRYPTION in body
    given = password.encode() if encrypted and password else None
    if label not in _KEYS:
        raise BadParameter(
            f"A {label.decode()} is not supported: the private key is RSA or EC, in PKCS#8, PKCS#1 or SEC 1.", "value"
        )
    if encrypted and given is None:
        raise BadParameter("The private key is protected by a password: give it as pwd.", "pwd")
    try:
        return accept_key(_open_key(label, body, given))
    except (UnsupportedAlgorithm, TypeError, InternalError):
        message = f"The private key ({label.decode()}) is of a kind, or encrypted in a way, that is not supported."
        raise BadParameter(message, "value") from None
    except ValueError:
        if encrypted:
            raise _wrong_password(password) from None
        raise BadParameter(f"{_NOT_PEM} Its private key cannot be read.", "value") from None


def _open_key(label: bytes, body: bytes, password: bytes | None) -> object:
    # without the checks, which are made once, of what is taken
    if _LEGACY_ENCRYPTION in body:
        block = _block(label, body)
        return serialization.load_pem_private_key(block, password, unsafe_skip_rsa_key_validation=True)
    der = _decode(body)
    if password is not None:
        _check_work(read_elements(der))
    return serialization.load_der_private_key(der, password, unsafe_skip_rsa_key_validation=True)


def _block(label: bytes, body: bytes) -> bytes:
    lines = b"\n".join(line.strip() for line in body.strip().splitlines())
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (label, lines, label)


def _decode(body: bytes) -> bytes:
    return b64decode(b"".join(body.split()), validate=True)


def accept_key(key: object) -> bytes:
    """Show a key as DER PKCS#8 if certificates may have one like it: RSA of a usual size, or EC on a known curve.

    An RSA key is checked here, once and fully: its factors are primes, and its numbers fit together. Raises BadParameter.
    """
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return _accept_curve(key)
    if not isinstance(key, rsa.RSAPrivateKey):
        kind = type(key).__name__.removesuffix("PrivateKey").removeprefix("_")
        raise BadParameter(f"The private key is of the kind {kind}, which is not supported: it is RSA or EC.", "value")
    if key.key_size not in RSA_SIZES:
        message = f"The private key is an RSA key of {key.key_size} bits, which is not supported: it has 2048, 3072 or 4096."
        raise BadParameter(message, "value")
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    try:
        serialization.load_der_private_key(der, None)
    except ValueError:
        raise BadParameter("The private key is damaged: the numbers of the RSA key do not fit together.", "value") from None
    return der


def _accept_curve(key: ec.EllipticCurvePrivateKey) -> bytes:
    if key.curve.name not in {curve.name for curve in CURVES.values()}:
        message = f"The private key is on the curve {key.curve.name}, which is not supported: it is {', '.join(CURVES)}."
        raise BadParameter(message, "value")
    return private_der(key)


def _pair(private_key: bytes, certificates: Sequence[x509.Certificate]) -> KeyedCertificate:
    """Find the certificate of the key; of several, the first that is no authority's."""
    ders = list(dict.fromkeys(one.public_bytes(Encoding.DER) for one in certificates))
    if not ders:
        raise BadParameter("There is no certificate in the content, only a private key.", "value")
    if len(ders) > MAX_CHAIN + 1:
        raise BadParameter(f"There are {len(ders)} certificates in the content; at most {MAX_CHAIN + 1} are taken.", "value")
    facts = {der: read_certificate(der) for der in ders}
    fitting = [der for der in ders if facts[der].public_key == public_der(private_key)]
    if not fitting:
        raise KeyMismatch(_MISMATCH, "value")
    leaf = next((der for der in fitting if not facts[der].is_authority), fitting[0])
    return KeyedCertificate(private_key, leaf, tuple(der for der in ders if der != leaf))


def _check_work(elements: Iterable[Element]) -> None:
    rounds = stretching_rounds(tuple(elements))
    if rounds > MOST_ROUNDS:
        message = f"The content asks for {rounds} rounds of stretching its password; at most {MOST_ROUNDS} are done."
        raise BadParameter(message, "value")


def _several_keys() -> BadParameter:
    return BadParameter("There are several private keys in the content; a certificate has one.", "value")


def _wrong_password(password: str | None) -> BadParameter:
    if not password:
        return BadParameter("The content is protected by a password, which is to be given as pwd, or it is damaged.", "pwd")
    return BadParameter("The specified password (pwd) does not open the content, or the content was altered.", "pwd")
