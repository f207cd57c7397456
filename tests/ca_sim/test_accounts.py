"""Accounts: registration, update, deactivation, key change (RFC 8555 section 7.3)."""

import pytest

from ca_sim.acme.jose import public_jwk
from ca_sim.server import Running
from tests.ca_sim.caller import Caller, Key, assert_problem, calling, jws, make_key


def change_key(
    caller: Caller, new: Key, *, signer: Key | None = None, header: object = None, members: object = None
) -> tuple[str, object]:
    """Make the payload of a key change; the members of header and payload that are given differ from the right ones."""
    url = caller.directory["keyChange"]
    payload = {"account": caller.kid, "oldKey": public_jwk(caller.key.public_key())}
    inner = {"url": url, "jwk": public_jwk(new.public_key())}
    return url, jws(signer or new, inner | dict_of(header), payload | dict_of(members))


def dict_of(value: object) -> dict[str, object]:
    """Take what a parameter of a test gives, if it gives anything."""
    return value if isinstance(value, dict) else {}


def test_an_account_is_made_once_for_a_key(running: Running) -> None:
    """The second registration of a key gives the same account with 200."""
    with calling(running) as client:
        first = client.register(contact=["mailto:a@example.test"])
        second = client.register(contact=["mailto:b@example.test"])
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.headers["Location"] == second.headers["Location"]
    assert second.json()["contact"] == ["mailto:a@example.test"]
    assert second.json()["status"] == "valid"


def test_an_account_can_be_looked_for(running: Running) -> None:
    """With onlyReturnExisting no account is made."""
    with calling(running) as client:
        assert_problem(client.register(onlyReturnExisting=True), "accountDoesNotExist", 400)
        assert client.register().status_code == 201
        assert client.register(onlyReturnExisting=True).status_code == 200


def test_the_terms_must_be_agreed_to(running: Running) -> None:
    """Without agreement there is no account, and the terms are linked."""
    with calling(running) as client:
        answer = client.register(termsOfServiceAgreed=False)
        assert_problem(answer, "userActionRequired", 403)
        assert answer.links["terms-of-service"]["url"] == client.directory["meta"]["termsOfService"]


@pytest.mark.parametrize(
    ("contact", "word"),
    [
        ("tel:+1-201-555-0123", "unsupportedContact"),
        ("mailto:nobody", "invalidContact"),
        ("mailto:a@x.test,b@x.test", "invalidContact"),
        ("mailto:a@x.test?subject=hi", "invalidContact"),
    ],
)
def test_contacts_are_checked(running: Running, contact: str, word: str) -> None:
    """A contact is one mail address."""
    with calling(running) as client:
        assert_problem(client.register(contact=[contact]), word, 400)


def test_members_of_the_wrong_type_are_named(caller: Caller) -> None:
    """The problem says which member is wrong."""
    problem = assert_problem(caller.post(caller.kid, {"contact": "mailto:a@x.test"}), "malformed", 400)
    assert problem["detail"].startswith("contact:")


def test_contacts_can_be_changed(caller: Caller) -> None:
    """An update replaces the contacts, and POST-as-GET shows them."""
    assert caller.post(caller.kid, {"contact": ["mailto:new@x.test"]}).status_code == 200
    assert caller.post(caller.kid).json()["contact"] == ["mailto:new@x.test"]


def test_a_deactivated_account_can_do_nothing(caller: Caller) -> None:
    """After deactivation every request is 401, registration too (section 7.3.6)."""
    assert caller.post(caller.kid, {"status": "deactivated"}).json()["status"] == "deactivated"
    assert_problem(caller.post(caller.kid), "unauthorized", 401)
    assert_problem(caller.order("a.test"), "unauthorized", 401)
    assert_problem(caller.register(), "unauthorized", 401)


def test_an_account_cannot_be_made_revoked(caller: Caller) -> None:
    """A client may only deactivate."""
    assert_problem(caller.post(caller.kid, {"status": "revoked"}), "malformed", 400)


def test_another_account_is_out_of_reach(caller: Caller, running: Running) -> None:
    """The URL of somebody else's account, order or authorization is refused."""
    with calling(running) as other:
        other.register()
        order = other.order("other.test")
        assert_problem(caller.post(other.kid), "malformed", 404)
        assert_problem(caller.post(order.headers["Location"]), "unauthorized", 403)
        assert_problem(caller.post(order.json()["authorizations"][0]), "unauthorized", 403)


def test_the_list_of_orders_goes_in_pages(caller: Caller) -> None:
    """Two on a page, with a link to the next (section 7.1.2.1)."""
    placed = [caller.order(f"n{number}.test").headers["Location"] for number in range(3)]
    first = caller.post(caller.post(caller.kid).json()["orders"])
    second = caller.post(first.links["next"]["url"])
    assert first.json()["orders"] + second.json()["orders"] == placed
    assert "next" not in second.links


def test_a_key_can_be_changed(caller: Caller) -> None:
    """The account answers to the new key, and no more to the old one (section 7.3.5)."""
    new = make_key()
    url, inner = change_key(caller, new)
    assert caller.post(url, inner).status_code == 200
    assert_problem(caller.post(caller.kid), "malformed", 400)
    caller.key = new
    assert caller.post(caller.kid).status_code == 200


def test_a_key_of_another_account_is_a_conflict(caller: Caller, running: Running) -> None:
    """The answer is 409 with the Location of that account."""
    with calling(running) as other:
        other.register()
        url, inner = change_key(caller, other.key)
        answer = caller.post(url, inner)
        assert_problem(answer, "malformed", 409)
        assert answer.headers["Location"] == other.kid


@pytest.mark.parametrize(
    ("header", "members"),
    [
        ({}, {"account": "https://localhost/acme/account/x"}),
        ({}, {"oldKey": public_jwk(make_key().public_key())}),
        ({"url": "https://localhost/"}, {}),
        ({"nonce": "x"}, {}),
    ],
    ids=["account", "old key", "url", "nonce"],
)
def test_a_wrong_key_change_changes_nothing(caller: Caller, header: object, members: object) -> None:
    """Each check of section 7.3.5 refuses, and the account keeps its key."""
    url, inner = change_key(caller, make_key(), header=header, members=members)
    assert_problem(caller.post(url, inner), "malformed", 400)
    assert caller.post(caller.kid).status_code == 200


def test_the_new_key_must_sign_too(caller: Caller) -> None:
    """Who does not hold the new key cannot bind it to an account."""
    url, inner = change_key(caller, make_key(), signer=make_key())
    assert_problem(caller.post(url, inner), "malformed", 400)
