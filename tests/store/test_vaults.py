"""Vaults, people, issuers, accounts and challenges in the store."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certworker.errors import Conflict
from certworker.vault.store import Store
from tests.support.clock import START, FakeClock
from tests.support.records import (
    TENANT_ID,
    VAULT_ID,
    a_principal,
    a_signing_key,
    a_vault,
    a_wrapped_key,
    an_account,
    an_issuer,
)


def test_a_vault_comes_back_by_id_and_by_name_in_any_case(store: Store) -> None:
    """A vault is found by its id, and by its name however it is written."""
    with store.reading() as reader:
        assert reader.vault(VAULT_ID) == reader.vault_by_name("CONTOSO") == reader.vault_by_name("contoso") == a_vault()
        assert reader.vault("other") is None
        assert reader.vault_by_name("other") is None


def test_vaults_are_listed_by_name_and_a_taken_name_is_a_conflict(store: Store) -> None:
    """Two vaults cannot have one name, and the transaction can go on after the refusal."""
    with store.writing() as writer:
        with pytest.raises(Conflict, match="already in use"):
            writer.add_vault(a_vault("vault-2", "CONTOSO"))
        writer.add_vault(a_vault("vault-2", "adatum"))
    with store.reading() as reader:
        assert [vault.name for vault in reader.vaults()] == ["adatum", "Contoso"]


def test_wrapped_keys_are_listed_with_the_newest_last(store: Store) -> None:
    """A vault's keys come in the order of their terms, and a term is given once."""
    with store.writing() as writer:
        for term in (2, 1, 10):
            writer.add_wrapped_key(a_wrapped_key(term))
        with pytest.raises(Conflict):
            writer.add_wrapped_key(a_wrapped_key(2))
    with store.reading() as reader:
        assert reader.wrapped_keys(VAULT_ID) == tuple(a_wrapped_key(term) for term in (1, 2, 10))


def test_principals_come_back_by_either_id(store: Store) -> None:
    """A principal is found by both of its ids; neither can be given twice; its secret can be replaced."""
    with store.writing() as writer:
        writer.add_principal(a_principal("object-2", "client-2"))
        writer.add_principal(a_principal())
        with pytest.raises(Conflict):
            writer.add_principal(a_principal("object-1", "client-9"))
        with pytest.raises(Conflict):
            writer.add_principal(a_principal("object-9", "client-1"))
        writer.set_principal_secret("object-1", "new")
    with store.reading() as reader:
        changed = a_principal(secret_hash="new")
        assert reader.principal("object-1") == reader.principal_by_client("client-1") == changed
        assert reader.principals() == (a_principal("object-2", "client-2"), changed)
        assert reader.principal("nobody") is None
        assert reader.principal_by_client("nobody") is None


def test_signing_keys_are_listed_with_the_newest_last(store: Store) -> None:
    """A tenant's signing keys come in the order in which they were added, even within one second."""
    with store.writing() as writer:
        for key_id in ("b", "a"):
            writer.add_signing_key(a_signing_key(key_id))
        writer.add_signing_key(a_signing_key("c", tenant_id="other"))
    with store.reading() as reader:
        assert reader.signing_keys(TENANT_ID) == (a_signing_key("b"), a_signing_key("a"))


def test_an_issuer_is_put_replaced_and_deleted(store: Store) -> None:
    """An issuer record is one per folded name."""
    changed = replace(an_issuer("MYCA"), sealed_credential=None, organization=None, enabled=False)
    with store.writing() as writer:
        writer.put_issuer(an_issuer())
        assert writer.issuer(VAULT_ID, "myca") == an_issuer()
        writer.put_issuer(changed)
        assert writer.issuer(VAULT_ID, "MyCA") == changed
        writer.delete_issuer(VAULT_ID, "myca")
        assert writer.issuer(VAULT_ID, "MyCA") is None


def test_issuers_are_listed_in_pages(store: Store) -> None:
    """A page tells where the next one begins; the last one tells none."""
    with store.writing() as writer:
        for name in ("b", "A", "C"):
            writer.put_issuer(an_issuer(name))
    with store.reading() as reader:
        first = reader.issuers(VAULT_ID, None, 2)
        assert [issuer.name for issuer in first.items] == ["A", "b"]
        last = reader.issuers(VAULT_ID, first.next, 2)
        assert ([issuer.name for issuer in last.items], last.next) == (["C"], None)
        assert reader.issuers(VAULT_ID, None, 3).next is None


def test_the_account_that_was_kept_first_stays(store: Store) -> None:
    """Whoever comes second gets the account that is there, and can record what the CA answered."""
    first, second = an_account(url=None, document=None), an_account()
    with store.writing() as writer:
        assert writer.account(VAULT_ID, "MyCA", "https://ca") is None
        assert writer.keep_account(VAULT_ID, "MyCA", "https://ca", first) == first
        assert writer.keep_account(VAULT_ID, "MYCA", "https://ca", second) == first
        writer.update_account(VAULT_ID, "myca", "https://ca", second.url, second.document)
        writer.set_account_key(VAULT_ID, "myca", "https://ca", second.sealed_key)
        assert writer.account(VAULT_ID, "MyCA", "https://ca") == second
        assert writer.account(VAULT_ID, "MyCA", "https://other") is None


@pytest.mark.parametrize("document", [None, b"document"])
def test_an_account_is_deleted_as_it_was_found(store: Store, document: bytes | None) -> None:
    """Where it has another document by now, it stays; nobody deletes it twice."""
    with store.writing() as writer:
        writer.keep_account(VAULT_ID, "MyCA", "https://ca", an_account(document=document))
        assert not writer.delete_account(VAULT_ID, "myca", "https://ca", b"other")
        assert not writer.delete_account(VAULT_ID, "myca", "https://other", document)
        assert writer.delete_account(VAULT_ID, "myca", "https://ca", document)
        assert not writer.delete_account(VAULT_ID, "myca", "https://ca", document)
        assert writer.account(VAULT_ID, "MyCA", "https://ca") is None


def test_a_challenge_is_answered_until_it_expires(store: Store, clock: FakeClock) -> None:
    """A response is there for whoever asks, and is not given any more once it has expired."""
    with store.writing() as writer:
        writer.put_challenge("token", "first", START + timedelta(minutes=1))
        writer.put_challenge("token", "response", START + timedelta(hours=1))
        writer.put_challenge("gone", "response", START + timedelta(hours=1))
        writer.delete_challenge("gone")
        assert (writer.challenge("token"), writer.challenge("gone")) == ("response", None)
    clock.advance(timedelta(hours=1))
    with store.writing() as writer:
        assert writer.challenge("token") is None
        assert writer.delete_expired_challenges(clock()) == 1
        assert writer.delete_expired_challenges(clock()) == 0
