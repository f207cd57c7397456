"""Certificate signing requests are read again."""

import pytest

from certworker.crypto.csr import csr_to_pem, read_csr, read_pem_csr
from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import generate_key, public_der
from certworker.crypto.x509 import CertificateRequest, build_csr
from certworker.errors import BadParameter


@pytest.mark.parametrize(("subject", "common_name"), [("CN=www.example.test, O=Example", "www.example.test"), ("", "")])
def test_a_csr_is_read_in_both_forms(subject: str, common_name: str) -> None:
    """Key and common name are those that it was built with, from DER and from PEM."""
    key = generate_key("EC", None, "P-256")
    names = SubjectNames(dns_names=("www.example.test",))
    der = build_csr(key, CertificateRequest(subject, names, ("digitalSignature",), ()))
    facts = read_csr(der)
    assert (facts.public_key, facts.common_name) == (public_der(key), common_name)
    assert read_pem_csr(csr_to_pem(der)) == facts


@pytest.mark.parametrize(
    "text", ["", "nothing", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----", "ü"]
)
def test_what_is_no_csr_is_refused(text: str) -> None:
    """Anything else is a wrong parameter."""
    with pytest.raises(BadParameter):
        read_pem_csr(text)
    with pytest.raises(BadParameter):
        csr_to_pem(text.encode())
