"""Keys that sign elsewhere: what they sign holds, and they give nothing of themselves."""

import copy
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.x509 import load_der_x509_certificate, load_der_x509_csr

from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import CURVES, KeyKind, PrivateKey, generate_material, load_private, public_der
from certworker.crypto.signers import EcSigner, RsaSigner, signer_of
from certworker.crypto.software_keys import load_usable
from certworker.crypto.x509 import CertificateRequest, build_csr, self_sign
from tests.api.world import BEGIN, END

KINDS = (KeyKind("RSA", 2048), *(KeyKind("EC", None, curve) for curve in CURVES))
REQUEST = CertificateRequest("CN=web.example", SubjectNames(dns_names=("web.example",)), ("digitalSignature",), ())


def signer(kind: KeyKind) -> PrivateKey:
    """Make a key that signs where it lies."""
    material = generate_material(kind)
    made = signer_of(public_der(material), load_usable(kind.kty, material))
    assert made.key_size == load_private(material).key_size
    return made


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_requests_and_certificates_hold(kind: KeyKind) -> None:
    """The library's builders ask the signer, and their signatures are right."""
    key = signer(kind)
    assert load_der_x509_csr(build_csr(key, REQUEST)).is_signature_valid
    certificate = load_der_x509_certificate(self_sign(key, REQUEST, BEGIN, END))
    certificate.verify_directly_issued_by(certificate)
    assert copy.copy(key) is copy.deepcopy(key) is key


@pytest.mark.parametrize("kind", KINDS[:2], ids=str)
def test_nothing_of_the_key_is_given(kind: KeyKind) -> None:
    """Numbers, bytes, decryption and agreement are refused, and so is what was not hashed here."""
    key = signer(kind)
    refused: list[Callable[[], object]] = [key.private_numbers, lambda: key.private_bytes(None, None, None)]  # type: ignore[arg-type]
    wrong: list[Callable[[], object]]
    if isinstance(key, RsaSigner):
        refused.append(lambda: key.decrypt(b"", padding.PKCS1v15()))
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        wrong = [
            lambda: key.sign(b"text", pss, hashes.SHA256()),
            lambda: key.sign(bytes(32), padding.PKCS1v15(), utils.Prehashed(hashes.SHA256())),
        ]
    else:
        assert isinstance(key, EcSigner)
        refused.append(lambda: key.exchange(ec.ECDH(), key.public_key()))
        wrong = [lambda: key.sign(bytes(32), ec.ECDSA(utils.Prehashed(hashes.SHA256())))]
    for attempt in refused:
        with pytest.raises(TypeError, match="lies elsewhere"):
            attempt()
    for attempt in wrong:
        with pytest.raises(ValueError, match="signs what is hashed here"):
            attempt()
