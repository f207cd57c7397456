"""Names, versions and tags keep Key Vault's limits."""

import re

import pytest

from certworker.errors import BadParameter, CertificateNotFound, KeyNotFound, SecretNotFound
from certworker.vault.objects import ObjectKind, check_name, check_tags, fold_name, new_version, not_found
from certworker.vault.vaults import check_vault_name


@pytest.mark.parametrize("name", ["a", "0", "-", "Web-01", "a" * 127])
def test_a_name_may_be_so(name: str) -> None:
    """1 to 127 of letters, digits and hyphens."""
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "a" * 128, "a_b", "a.b", "a b", "a/b", "größe", "a\n", "\u0661"])
def test_a_name_may_not_be_so(name: str) -> None:
    """Everything else is refused."""
    with pytest.raises(BadParameter, match="invalid name") as refusal:
        check_name(name)
    assert refusal.value.field == "name"


@pytest.mark.parametrize("name", ["abc", "Contoso-1", "a1-b2-c3", "a" * 24])
def test_a_vault_may_be_called_so(name: str) -> None:
    """3 to 24, a letter first, no two hyphens in a row."""
    assert check_vault_name(name) == name


@pytest.mark.parametrize("name", ["ab", "a" * 25, "1ab", "-ab", "ab-", "a--b", "a_b", "abc\n", "größe"])
def test_a_vault_may_not_be_called_so(name: str) -> None:
    """Everything else is refused."""
    with pytest.raises(BadParameter, match="vault name"):
        check_vault_name(name)


def test_tags_have_limits() -> None:
    """15 of them, 512 characters each side, and no empty name."""
    assert check_tags({f"n{number}": "" for number in range(15)})
    assert check_tags({"n" * 512: "v" * 512})
    for tags in ({f"n{number}": "" for number in range(16)}, {"": "v"}, {"n" * 513: "v"}, {"n": "v" * 513}):
        with pytest.raises(BadParameter) as refusal:
            check_tags(tags)
        assert refusal.value.field == "tags"


def test_a_version_is_32_hex_digits() -> None:
    """Made up from the operating system, and never twice."""
    versions = {new_version() for _ in range(100)}
    assert len(versions) == 100
    assert all(re.fullmatch(r"[0-9a-f]{32}", version) for version in versions)


def test_what_is_missing_is_told_by_its_kind() -> None:
    """The words name the object, and its version where one was asked for."""
    assert isinstance(not_found(ObjectKind.KEY, "a"), KeyNotFound)
    assert isinstance(not_found(ObjectKind.SECRET, "a"), SecretNotFound)
    missing = not_found(ObjectKind.CERTIFICATE, "a", "v1")
    assert isinstance(missing, CertificateNotFound)
    assert "(name/id) a/versions/v1 was not found" in str(missing)
    assert fold_name("wEb-1") == "WEB-1"
