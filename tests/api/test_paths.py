"""Request targets as clients really send them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certworker.api.paths import clean_path, method_of, query_of
from certworker.errors import BadParameter


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        (b"/secrets/s1/", "/secrets/s1"),
        (b"//secrets///S1//", "/secrets/S1"),
        (b"/SECRETS/MySecret/ABCDEF", "/secrets/MySecret/abcdef"),
        (b"/Certificates/Web/Pending/Merge", "/certificates/Web/pending/merge"),
        (b"/certificates/ISSUERS/MyCA", "/certificates/issuers/MyCA"),
        (b"/keys/K/V/wrapKey", "/keys/K/v/wrapkey"),
        (b"/Tenant/OAuth2", "/Tenant/OAuth2"),
        (b"/secrets/a%2Db", "/secrets/a-b"),
        (b"/", "/"),
        (b"", "/"),
    ],
)
def test_a_path_has_one_spelling(raw: bytes, clean: str) -> None:
    """Slashes and the case of fixed words do not matter; names keep theirs."""
    assert clean_path(raw) == clean


@pytest.mark.parametrize(
    "raw", [b"/secrets/a%2Fb", b"/secrets/%2e%2e/x", b"/secrets/a%00", b"/secrets/%ff", b"/a%5Cb", b"/" + b"a" * 3000]
)
def test_a_path_that_means_mischief_is_refused(raw: bytes) -> None:
    """An encoded border, a way up, a control character, broken UTF-8 and a path without end are refused."""
    with pytest.raises(BadParameter):
        clean_path(raw)


@given(st.binary(max_size=60))
def test_no_path_breaks_the_reader(raw: bytes) -> None:
    """Any bytes give a path without doubled slashes, or a refusal."""
    try:
        path = clean_path(b"/" + raw)
    except BadParameter:
        return
    assert path.startswith("/")
    assert "//" not in path


def test_query_keys_are_decoded_and_compared_without_case() -> None:
    """JavaScript's `api%2Dversion` is understood; the first of several counts."""
    query = query_of(b"api%2Dversion=7.4&MaxResults=3&maxresults=4&%24skiptoken=x&flag")
    assert dict(query) == {"api-version": "7.4", "maxresults": "3", "$skiptoken": "x", "flag": ""}


@pytest.mark.parametrize("query", [b"a=%ff", b"a=\xff", b"&".join(b"a=1" for _ in range(99))])
def test_a_query_that_cannot_be_read_is_refused(query: bytes) -> None:
    """Broken UTF-8 and fields without end are refused."""
    with pytest.raises(BadParameter):
        query_of(query)


def test_a_header_overrides_the_verb() -> None:
    """X-HTTP-METHOD goes before the request line, if it names a verb."""
    assert method_of("POST", None) == "POST"
    assert method_of("POST", "patch ") == "PATCH"
    with pytest.raises(BadParameter, match="X-HTTP-METHOD"):
        method_of("POST", "BREW")
