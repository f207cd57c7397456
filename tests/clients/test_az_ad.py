"""`az ad`, unmodified: users, groups, applications, service principals and their credentials."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.azure import Az, Dev, dev_with_az

pytestmark = [pytest.mark.installed(".venv/az/.made"), pytest.mark.long, pytest.mark.timeout(600)]

PASSWORD = "Correct-horse-9"


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """Serve a deployment that az knows, for all tests of this file."""
    with dev_with_az(tmp_path_factory.mktemp("az-ad")) as found:
        yield found


@pytest.fixture(scope="module")
def az(dev: Dev) -> Az:
    """Give az as the administrator."""
    return dev.az


def ids(found: list[dict[str, Any]]) -> set[str]:
    """Give the ids in a list."""
    return {item["id"] for item in found}


def test_users_and_groups(az: Az) -> None:
    """A user in a group in a group, as az makes, lists and takes apart."""
    user = ("--user-principal-name", "ada@contoso.test", "--display-name", "Ada", "--password", PASSWORD)
    ada = az("ad", "user", "create", *user)
    assert az("ad", "user", "show", "--id", "ada@contoso.test")["id"] == ada["id"]
    assert ids(az("ad", "user", "list", "--upn", "ADA@contoso.test")) == {ada["id"]}
    az("ad", "user", "update", "--id", ada["id"], "--display-name", "Countess")
    inner = az("ad", "group", "create", "--display-name", "inner", "--mail-nickname", "inner")
    outer = az("ad", "group", "create", "--display-name", "outer", "--mail-nickname", "outer")
    assert az("ad", "group", "create", "--display-name", "inner", "--mail-nickname", "inner")["id"] == inner["id"]
    az("ad", "group", "member", "add", "--group", "inner", "--member-id", ada["id"])
    az("ad", "group", "member", "add", "--group", "outer", "--member-id", inner["id"])
    assert [one["displayName"] for one in az("ad", "group", "member", "list", "--group", "inner")] == ["Countess"]
    assert az("ad", "group", "member", "check", "--group", "outer", "--member-id", ada["id"])["value"] is True
    assert ids(az("ad", "user", "get-member-groups", "--id", ada["id"])) == {inner["id"], outer["id"]}
    assert az("ad", "group", "get-member-groups", "--group", "inner") == [outer["id"]]
    az("ad", "group", "member", "remove", "--group", "inner", "--member-id", ada["id"])
    assert az("ad", "group", "member", "list", "--group", "inner") == []
    az("ad", "group", "owner", "add", "--group", outer["id"], "--owner-object-id", ada["id"])
    assert ada["id"] in ids(az("ad", "group", "owner", "list", "--group", outer["id"]))
    az("ad", "group", "delete", "--group", "inner")
    az("ad", "user", "delete", "--id", "ada@contoso.test")
    assert az("ad", "user", "list") == []


def test_applications_and_their_credentials(az: Az) -> None:
    """An application with a service principal; secrets, certificates, foreign tokens and owners of it."""
    app = az("ad", "app", "create", "--display-name", "shop", "--identifier-uris", "api://shop")
    client = ("--id", app["appId"])
    principal = az("ad", "sp", "create", *client)
    assert az("ad", "sp", "show", "--id", "api://shop")["id"] == principal["id"]
    assert ids(az("ad", "app", "list", "--display-name", "sho")) == {app["id"]}
    az("ad", "app", "update", *client, "--web-redirect-uris", "https://shop.test/back", "--is-fallback-public-client", "true")
    assert az("ad", "app", "show", *client)["web"]["redirectUris"] == ["https://shop.test/back"]
    secret = az("ad", "app", "credential", "reset", *client, "--append", "--display-name", "one")
    assert secret["password"]
    made = az("ad", "app", "credential", "reset", *client, "--create-cert", "--append")
    assert made["fileWithCertAndPrivateKey"]
    (shown,) = az("ad", "app", "credential", "list", *client)
    assert len(az("ad", "app", "credential", "list", *client, "--cert")) == 1
    az("ad", "app", "credential", "delete", *client, "--key-id", shown["keyId"])
    assert az("ad", "app", "credential", "list", *client) == []
    foreign = '{"name": "ci", "issuer": "https://ci.test", "subject": "main", "audiences": ["api://AzureADTokenExchange"]}'
    az("ad", "app", "federated-credential", "create", *client, "--parameters", foreign)
    assert [one["name"] for one in az("ad", "app", "federated-credential", "list", *client)] == ["ci"]
    az("ad", "app", "federated-credential", "delete", *client, "--federated-credential-id", "ci")
    az("ad", "app", "owner", "add", *client, "--owner-object-id", principal["id"])
    assert principal["id"] in ids(az("ad", "app", "owner", "list", *client))
    az("ad", "sp", "delete", *client)
    az("ad", "app", "delete", *client)
    assert az("ad", "app", "list", "--display-name", "shop") == []


def test_an_application_for_rbac(az: Az) -> None:
    """`az ad sp create-for-rbac` gives what somebody logs in with."""
    made = az("ad", "sp", "create-for-rbac", "--name", "deployer")
    assert set(made) == {"appId", "displayName", "password", "tenant"}
    assert az("ad", "sp", "list", "--display-name", "deployer")[0]["appId"] == made["appId"]
    again = az("ad", "sp", "create-for-rbac", "--name", "deployer")
    assert again["appId"] == made["appId"]
    assert again["password"] != made["password"]
