"""Distinguished names, as people write them."""

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from certworker.crypto.subjects import check_subject, parse_subject
from certworker.errors import BadParameter


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CN=web.example.test", "CN=web.example.test"),
        ("CN=web.example.test, O=Contoso", "CN=web.example.test,O=Contoso"),
        ("cn = web ; o = Contoso , c=DE", "CN=web,O=Contoso,C=DE"),
        ("CN=web+OU=x,O=Contoso", "CN=web+OU=x,O=Contoso"),
        ('CN=web, O="Contoso, Ltd."', "CN=web,O=Contoso\\, Ltd."),
        ('O="say ""hi"""', 'O=say \\"hi\\"'),
        ('O=" a\\\\b "', "O=\\ a\\\\b\\ "),
        ("O=Contoso\\, Ltd.", "O=Contoso\\, Ltd."),
        ("O=a\\ ", "O=a\\ "),
        ("CN=\\E2\\82\\AC", "CN=€"),
        ("CN=größe", "CN=größe"),
        ("S=Bayern,C=DE", "ST=Bayern,C=DE"),
        ("STREET=x,DC=y,UID=z", "STREET=x,DC=y,UID=z"),
        ("OID.2.5.4.5=12", "2.5.4.5=12"),
        ("1.2.3.4=x", "1.2.3.4=x"),
        ("", ""),
    ],
)
def test_a_name_in_any_form_is_read(text: str, expected: str) -> None:
    """Case of types, spaces, quotation marks, semicolons, multiple values and dotted OIDs are all understood."""
    assert parse_subject(text).rfc4514_string() == expected


@pytest.mark.parametrize(
    ("word", "oid"),
    [
        ("E", NameOID.EMAIL_ADDRESS),
        ("emailAddress", NameOID.EMAIL_ADDRESS),
        ("SERIALNUMBER", NameOID.SERIAL_NUMBER),
        ("givenName", NameOID.GIVEN_NAME),
        ("SN", NameOID.SURNAME),
        ("T", NameOID.TITLE),
        ("postalCode", NameOID.POSTAL_CODE),
    ],
)
def test_a_short_name_of_windows_is_known(word: str, oid: x509.ObjectIdentifier) -> None:
    """The short names beside those of RFC 4514 stand for what Windows and OpenSSL mean by them."""
    assert parse_subject(f"{word}=a@example.test").get_attributes_for_oid(oid)[0].value == "a@example.test"


@pytest.mark.parametrize(
    "text",
    [
        "web.example.test",
        "CN",
        "CN=",
        "CN=a, O=",
        "CN=a,",
        ",CN=a",
        "CN=a,,O=b",
        "NOPE=a",
        "C=DEU",
        "C=Ü",
        "E=ü@example.test",
        "CN=" + "a" * 65,
        'CN="a',
        'CN=a"b',
        "CN=a\\",
        "CN=\\FF",
        "CN=a\0",
        "1=a",
        "9.9.9=a",
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    """The error names the field, shows what would be right, and has no blank where the reason belongs."""
    with pytest.raises(BadParameter, match="not a distinguished name such as") as refusal:
        check_subject(text)
    assert refusal.value.field == "x509_props.subject"
    assert ": ." not in str(refusal.value)


VALUES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40)


@given(st.lists(st.tuples(st.sampled_from([NameOID.ORGANIZATION_NAME, NameOID.LOCALITY_NAME]), VALUES), min_size=1, max_size=4))
def test_every_name_reads_back_as_it_was_written(attributes: list[tuple[x509.ObjectIdentifier, str]]) -> None:
    """Whatever cryptography writes, with whatever it escapes, is the same name again."""
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])
    assert parse_subject(name.rfc4514_string()) == name


@given(VALUES)
def test_every_value_can_stand_in_quotation_marks(value: str) -> None:
    """Nothing but the quotation mark and the backslash is special between quotation marks."""
    quoted = value.replace("\\", "\\\\").replace('"', '""')
    assert parse_subject(f'O="{quoted}"').get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == value


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """There is no text that ends in another error than BadParameter."""
    try:
        check_subject(text)
    except BadParameter as refusal:
        field = refusal.field
    else:
        field = "x509_props.subject"
    assert field == "x509_props.subject"
