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
    for caller, place in (
        (replace(administrator, object_id="stranger"), vault),
        (replace(administrator, object_id=""), vault),
        (replace(administrator, object_id=administrator.client_id), vault),
        (Caller("certworker", "certworker", ""), vault),
        (administrator, replace(vault, tenant_id="another")),
        (administrator, system),
    ):
        with pytest.raises(Forbidden, match=rf"does not have \w+ \w+ permission on key vault '{place.name};"):
            call(caller, place)
    assert deployment.house.fleet.last_event() == events


def test_the_refusal_names_who_asked(deployment: Deployment) -> None:
    """In Key Vault's words, with the application, the object and the tenant."""
    stranger = Caller("oid-1", "app-1", "tid-1")
    with pytest.raises(Forbidden, match="'appid=app-1;oid=oid-1;tid=tid-1' does not have secrets get permission"):
        deployment.house.secrets.get(stranger, deployment.vault, "web")


def test_a_removed_administrator_is_refused_at_once(deployment: Deployment, tmp_path: Path) -> None:
    """Nothing of it is remembered between two requests."""
    deployment.create("web", policy_for("web.test", "Self"))
    assert deployment.get("web")
    with closing(sqlite3.connect(tmp_path / "certworker.db")) as connection, connection:
        connection.execute("DELETE FROM principal")
    with pytest.raises(Forbidden):
        deployment.get("web")


def test_a_demoted_administrator_is_refused_at_once(deployment: Deployment, tmp_path: Path) -> None:
    """Being known is not enough."""
    with closing(sqlite3.connect(tmp_path / "certworker.db")) as connection, connection:
        connection.execute("UPDATE principal SET administrator = 0")
    with pytest.raises(Forbidden):
        deployment.create("web", policy_for("web.test", "Self"))
