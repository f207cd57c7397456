"""Certificates are read out of whatever they come in, and nothing else raises anything but the house's own error."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certworker.crypto.keys import private_pem
from certworker.crypto.received import read_certificates
from certworker.crypto.x509 import belonging, to_pem
from certworker.errors import BadParameter
from tests.crypto.authorities import Authority, ec_key

ROOT, LOWER, FOREIGN = Authority("Root"), Authority("Lower"), Authority("Foreign")
LEAF, ABOVE, TOP = LOWER.leaf(), LOWER.certificate(ROOT), ROOT.certificate()


def test_a_private_key_in_a_pem_file_is_left_alone() -> None:
    """Only the certificates are taken."""
    assert read_certificates(private_pem(ec_key()) + to_pem((LEAF, ABOVE))) == (LEAF, ABOVE)
    with pytest.raises(BadParameter, match="no certificate"):
        read_certificates(private_pem(ec_key()))


@given(
    st.binary(max_size=200) | st.builds(lambda cut, at: LEAF[:at] + cut + LEAF[at:], st.binary(min_size=1), st.integers(0, 99))
)
def test_nonsense_is_one_error(content: bytes) -> None:
    """Whatever the bytes, they are refused in the house's own words."""
    for form in (content, b64encode(content), b"-----BEGIN CERTIFICATE-----\n" + content):
        try:
            certificates = read_certificates(form)
        except BadParameter:
            continue
        assert certificates


def test_what_belongs_keeps_its_order() -> None:
    """Everything that leads up from the leaf by any way, once each, and without the leaf."""
    cross = ROOT.certificate(FOREIGN)
    foreign = FOREIGN.certificate()
    sent = (foreign, TOP, LEAF, ABOVE, cross, TOP, Authority("Stranger").certificate())
    assert belonging(LEAF, sent) == (foreign, TOP, ABOVE, cross)
    assert belonging(LEAF, (TOP, foreign)) == ()
