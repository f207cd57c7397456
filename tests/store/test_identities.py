"""The directory in the database: what is unique, what goes together, and that every glance sees a change."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from certworker.errors import Conflict
from certworker.vault.identities.records import (
    Application,
    Credential,
    CredentialKind,
    FederatedCredential,
    Group,
    Identity,
    User,
)
from certworker.vault.rights.roles import PrincipalType
from certworker.vault.store import Store, Writer
from tests.support.clock import START
from tests.support.records import TENANT_ID, a_principal

ADA = User("ada", TENANT_ID, "Ada@Contoso.test", "Ada", START, password_hash="scrypt$x", mail="ada@contoso.test")
BOB = User("bob", TENANT_ID, "bob@contoso.test", "Bob", START, enabled=False)
TEAM = Group("team", TENANT_ID, "Team", START, "those who look after it", "team")
SHOP = Application(
    "shop-object",
    "shop",
    TENANT_ID,
    "Shop",
    START,
    identifier_uris=("api://shop",),
    redirect_uris={"web": ("https://shop.test/",)},
    public_client=True,
    manifest={"notes": "ö"},
)
SECRET = Credential("key-1", "shop", CredentialKind.SECRET, START, None, "one", "hash", "abc")
FOREIGN = FederatedCredential("f-1", "shop", "ci", "https://ci.test", "main", ("api://exchange",))


def test_everything_comes_back_as_it_was_put(store: Store) -> None:
    """By each of its ids; a user by the name in any case, and of its own tenant only."""
    with store.writing() as writer:
        for user in (ADA, BOB):
            writer.add_user(user)
        writer.add_group(TEAM)
        writer.add_application(SHOP)
        writer.put_credential(SECRET)
        writer.add_federated_credential(FOREIGN)
        writer.add_owner("team", "ada")
    with store.reading() as reader:
        assert reader.user("ada") == reader.user_by_name(TENANT_ID, "ADA@contoso.TEST") == ADA
        assert reader.user_by_name("another", ADA.user_name) is None
        assert reader.users(TENANT_ID) == (ADA, BOB)
        assert (reader.group("team"), reader.groups(TENANT_ID)) == (TEAM, (TEAM,))
        assert reader.application("shop") == reader.application_by_object("shop-object") == SHOP
        assert reader.credentials("shop") == reader.all_credentials(TENANT_ID) == (SECRET,)
        assert reader.federated_credentials("shop") == (FOREIGN,)
        assert (reader.owners("team"), reader.owned_by("ada")) == (("ada",), ("team",))
        assert not [*reader.all_credentials("another"), *reader.users("another"), *reader.groups("another")]
    assert "scrypt" not in repr(ADA)
    assert "hash" not in repr(SECRET).replace("secret_hash", "")


def test_names_are_given_once(store: Store) -> None:
    """A user's in the tenant, whatever the case; a federated credential's in its application; ids everywhere."""
    with store.writing() as writer:
        writer.add_user(ADA)
        writer.add_user(BOB)
        writer.add_application(SHOP)
        writer.add_federated_credential(FOREIGN)
        attempts: tuple[Callable[[], None], ...] = (
            lambda: writer.add_user(replace(BOB, object_id="x", user_name="ada@CONTOSO.test")),
            lambda: writer.replace_user(replace(BOB, user_name="ADA@contoso.test")),
            lambda: writer.add_application(replace(SHOP, object_id="x")),
            lambda: writer.add_federated_credential(replace(FOREIGN, id="x")),
        )
        for attempt in attempts:
            with pytest.raises(Conflict):
                attempt()
        writer.add_user(replace(ADA, object_id="x", tenant_id="another"))
        writer.replace_user(replace(ADA, user_name="ADA@contoso.test"))


def test_who_is_deleted_leaves_nothing_behind(store: Store) -> None:
    """No membership, no member, no owner; an application's credentials go with it."""
    with store.writing() as writer:
        writer.add_user(ADA)
        writer.add_group(TEAM)
        writer.add_group(replace(TEAM, object_id="other"))
        writer.add_application(SHOP)
        writer.put_credential(SECRET)
        writer.add_federated_credential(FOREIGN)
        writer.add_group_member("team", "ada")
        writer.add_group_member("other", "team")
        writer.add_owner("team", "ada")
        writer.add_owner("shop-object", "ada")
    with store.writing() as writer:
        writer.delete_identity("team")
        assert writer.groups_of("ada") == frozenset()
        assert writer.group_members("other") == writer.owners("team") == ()
        writer.delete_identity("ada")
        assert writer.owned_by("ada") == ()
        writer.delete_application("shop-object")
    with store.reading() as reader:
        assert not [*reader.credentials("shop"), *reader.federated_credentials("shop")]


@pytest.mark.parametrize(
    "change",
    [
        lambda writer: writer.replace_user(replace(ADA, enabled=False)),
        lambda writer: writer.delete_identity("ada"),
        lambda writer: writer.replace_principal(a_principal("app", "shop", enabled=False)),
        lambda writer: writer.delete_identity("app"),
        lambda writer: writer.delete_identity("team"),
    ],
    ids=["user disabled", "user deleted", "application disabled", "application deleted", "group deleted"],
)
def test_a_glance_sees_who_is_disabled_or_deleted(store: Store, change: Callable[[Writer], None]) -> None:
    """What was remembered a moment ago is forgotten with the change."""
    with store.writing() as writer:
        writer.add_user(ADA)
        writer.add_group(TEAM)
        writer.add_principal(a_principal("app", "shop"))

    def look() -> list[Identity | None]:
        with store.glance() as glance:
            return [*map(glance.identity, ("ada", "team", "app")), glance.client_identity("shop")]

    before = look()
    assert [one.kind if one else None for one in before] == [
        PrincipalType.USER,
        PrincipalType.GROUP,
        PrincipalType.SERVICE_PRINCIPAL,
        PrincipalType.SERVICE_PRINCIPAL,
    ]
    with store.writing() as writer:
        change(writer)
    with store.reading() as reader:
        now = [*map(reader.identity, ("ada", "team", "app")), reader.client_identity("shop")]
    assert look() == now != before
