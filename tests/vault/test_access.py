"""Nobody but the administrator may do anything, and the service's own vault is closed even to them."""

import inspect
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from certworker.errors import Forbidden
from certworker.vault.access import Caller
from certworker.vault.certificates import Certificates
from certworker.vault.issuers import IssuerParameters, Issuers
from certworker.vault.keys import Keys
from certworker.vault.rights.built_in_roles import KEY_VAULT_ADMINISTRATOR, OWNER
from certworker.vault.secrets import NewSecret, Secrets, SecretUpdate
from tests.support.deployment import Deployment, policy_for

# what a method is given for a parameter, by its name; a new parameter without a word here fails the test below
VALUES: dict[str, Any] = {
    "name": "web",
    "version": None,
    "after": None,
    "limit": 25,
    "policy": policy_for("web.test", "Self"),
    "tags": {},
    "change": lambda known: known,
    "parameters": IssuerParameters("Scripted"),
    "new": NewSecret("value"),
    "changes": SecretUpdate(),
}
SERVICES = {"certificates": Certificates, "secrets": Secrets, "keys": Keys, "issuers": Issuers}
BY_ROLES, DENIED = (
    r"(?s)not authorized to perform action on resource.*Vault: ",
    r"does not have \w+ \w+ permission on key vault '",
)
FOR_THE_SERVICE_ITSELF = {("issuers", name) for name in ("credential", "find", "provider_that_can", "request")}


def methods() -> Iterator[tuple[str, str]]:
    """List every public method of the services."""
    for service, kind in SERVICES.items():
        for name, function in inspect.getmembers(kind, inspect.isfunction):
            if not name.startswith("_") and (service, name) not in FOR_THE_SERVICE_ITSELF:
                assert list(inspect.signature(function).parameters)[:3] == ["self", "caller", "vault"], (service, name)
                yield service, name


def call_of(deployment: Deployment, service: str, name: str) -> Callable[..., object]:
    """Prepare a call that lacks only caller and vault."""
    method = getattr(getattr(deployment.house, service), name)
    parameters = list(inspect.signature(method).parameters.values())[2:]
    needed = {one.name: VALUES[one.name] for one in parameters if one.default is one.empty}
    return lambda caller, vault: method(caller, vault, **needed)


@pytest.mark.parametrize(("service", "name"), list(methods()))
def test_every_method_refuses_strangers(deployment: Deployment, service: str, name: str) -> None:
    """Somebody unknown, somebody of another tenant's vault, nobody; and the administrator in the service's own vault."""
    deployment.create("web", policy_for("web.test", "Self"))
    call, vault, administrator = call_of(deployment, service, name), deployment.vault, deployment.administrator
    system = deployment.house.founding.system_vault()
    assert system is not None
    events = deployment.house.fleet.last_event()
    for caller, place, words in (
        (replace(administrator, object_id="stranger"), vault, BY_ROLES),
        (replace(administrator, object_id=""), vault, BY_ROLES),
        (replace(administrator, object_id=administrator.client_id), vault, BY_ROLES),
        (replace(administrator, object_id="stranger"), replace(vault, rbac=False), DENIED),
        (administrator, replace(vault, rbac=False), DENIED),
        (Caller("certworker", "certworker", ""), vault, DENIED),
        (administrator, replace(vault, tenant_id="another"), DENIED),
        (administrator, system, DENIED),
    ):
        with pytest.raises(Forbidden, match=rf"{words}{place.name};"):
            call(caller, place)
    assert deployment.house.fleet.last_event() == events


def test_the_refusal_names_who_asked(deployment: Deployment) -> None:
    """In Key Vault's words, with the application, the object, how many groups it is in, and who issued the token."""
    groups = frozenset({"g-1", "g-2"})
    stranger = Caller("oid-1", "app-1", "tid-1", groups=groups, issuer="https://login.test/tid-1/v2.0")
    who = "'appid=app-1;oid=oid-1;numgroups=2;iss=https://login.test/tid-1/v2.0'"
    with pytest.raises(Forbidden, match=f"{who} does not have secrets get permission"):
        deployment.house.secrets.get(stranger, deployment.vault, "web")


@pytest.mark.parametrize("role_id", [KEY_VAULT_ADMINISTRATOR, OWNER])
def test_a_removed_assignment_is_refused_at_once(deployment: Deployment, tmp_path: Path, role_id: str) -> None:
    """By the very next request. To be the owner of all opens no vault, and not to be closes none."""
    deployment.create("web", policy_for("web.test", "Self"))
    assert deployment.get("web")
    with closing(sqlite3.connect(tmp_path / "certworker.db")) as connection, connection:
        connection.execute("DELETE FROM role_assignment WHERE role_id = ?", (role_id,))
    if role_id == OWNER:
        assert deployment.get("web")
        return
    with pytest.raises(Forbidden):
        deployment.get("web")


def test_to_administer_the_directory_is_no_role(deployment: Deployment, tmp_path: Path) -> None:
    """Vaults go by what is assigned."""
    with closing(sqlite3.connect(tmp_path / "certworker.db")) as connection, connection:
        connection.execute("UPDATE principal SET administrator = 0")
    assert deployment.create("web", policy_for("web.test", "Self"))
    with closing(sqlite3.connect(tmp_path / "certworker.db")) as connection, connection:
        connection.execute("UPDATE principal SET administrator = 1")
        connection.execute("DELETE FROM role_assignment")
    with pytest.raises(Forbidden):
        deployment.get("web")
