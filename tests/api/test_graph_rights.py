"""Who may change the directory: administrators all of it, owners what is theirs, and nobody else anything."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import jwt
import pytest

from certworker.api.graph.plane import ROUTES
from certworker.vault.vaults import Principal
from tests.api.test_every_token import Unchanged
from tests.api.test_graph import ADMINISTRATOR_ROLE, Graph
from tests.api.world import Caller

KINDS: Final = {"users": "user", "groups": "group", "applications": "application", "servicePrincipals": "principal"}
PASSWORD: Final = "Correct-horse-9"
FEDERATED: Final = {"name": "ci", "issuer": "https://issuer.example", "subject": "s", "audiences": ["a"]}
ASKED_BY_POST: Final = ("getMember", "checkMember", "getByIds")
"""What is sent by POST and changes nothing."""


@pytest.fixture
def graph(call: Caller) -> Graph:
    """Call the directory of a founded deployment."""
    return Graph(call)


@pytest.fixture
def there(graph: Graph) -> dict[str, str]:
    """Make one of each kind; the group has a member."""
    user, group = graph.user(), graph.group("team")
    application = graph.make("applications", displayName="app")
    principal = graph.make("servicePrincipals", appId=application["appId"])
    graph.done("POST", f"/groups/{group['id']}/members/$ref", graph.ref(user["id"]))
    graph.done("POST", f"/applications/{application['id']}/owners/$ref", graph.ref(user["id"]))
    secret = graph.ask("POST", f"/applications/{application['id']}/addPassword", {"passwordCredential": {}}).json()
    made = graph.ask("POST", f"/applications/{application['id']}/federatedIdentityCredentials", FEDERATED)
    assert made.status_code == 201, made.text
    ids = {"user": user, "group": group, "application": application, "principal": principal}
    return {name: shown["id"] for name, shown in ids.items()} | {"app": application["appId"], "secret": secret["keyId"]}


def changes(there: dict[str, str]) -> list[tuple[str, str]]:
    """List all that changes something, with what there is for the names in braces."""
    found = []
    for route in ROUTES:
        kind = route.path.split("/")[1]
        path = route.path.replace(
            "{id}", ADMINISTRATOR_ROLE if kind == "directoryRoles" else there.get(KINDS.get(kind, ""), "x")
        )
        for name, value in (("member", there["user"]), ("owner", there["user"]), ("which", "ci")):
            path = path.replace(f"{{{name}}}", value)
        if kind != "me" and not any(word in path for word in ASKED_BY_POST):
            found += [(method, path) for method in sorted(route.methods - {"GET", "HEAD"})]
    return found


def body_of(graph: Graph, path: str, there: dict[str, str]) -> Any:  # noqa: ANN401 - JSON
    """Write what would be done if it were allowed."""
    kind, last = path.split("/")[1], path.rsplit("/", 1)[1]
    if last == "$ref":
        return graph.ref(there["principal"])
    if last in {"addPassword", "removePassword"}:
        return {"passwordCredential": {"displayName": "x"}, "keyId": there["secret"]}
    if "federatedIdentityCredentials" in path:
        return FEDERATED | ({} if last == "ci" else {"name": "other"})
    if kind == "users":
        profile = {"password": PASSWORD, "forceChangePasswordNextSignIn": False}
        return {
            "userPrincipalName": "eve@contoso.test",
            "displayName": "Eve",
            "accountEnabled": True,
            "passwordProfile": profile,
        }
    names = {"displayName": "new", "mailNickname": "new", "mailEnabled": False, "securityEnabled": True}
    return {"appId": there["app"]} if kind == "servicePrincipals" else names if kind == "groups" else {"displayName": "new"}


def done(graph: Graph, there: dict[str, str], who: Principal, *, empty: bool) -> list[str]:
    """Try everything; list what was not refused for want of the right."""
    found = []
    # what is deleted is deleted last
    for method, path in sorted(changes(there), key=lambda change: change[0] == "DELETE"):
        body = {} if empty and method == "PATCH" else body_of(graph, path, there)
        answer = graph.ask(method, path, body if method in {"POST", "PATCH", "PUT"} else None, who)
        if answer.status_code != 403:
            found.append(f"{answer.status_code} {method} {path} {answer.text[:120]}")
    return found


@pytest.mark.parametrize("empty", [False, True])
def test_whoever_owns_nothing_changes_nothing(graph: Graph, there: dict[str, str], tmp_path: Path, *, empty: bool) -> None:
    """Every change of everything that there is, also one that would change nothing, is refused, and nothing is written."""
    guest, _ = graph.call.world.add_principal("guest", administrator=False)
    database = Unchanged(tmp_path)
    assert len(changes(there)) > 25
    assert not done(graph, there, guest, empty=empty)
    database.check()


def test_an_owner_changes_that_alone(graph: Graph, there: dict[str, str]) -> None:
    """Whoever owns an application has its credentials, and nothing of the group, of people, or of the administrators."""
    owner, _ = graph.call.world.add_principal("owner", administrator=False)
    graph.done("POST", f"/applications/{there['application']}/owners/$ref", graph.ref(owner.object_id))
    passed = done(graph, there, owner, empty=False)
    assert passed
    assert all(" /applications/" in line or " /servicePrincipals" in line for line in passed), "\n".join(passed)


@pytest.mark.parametrize(
    ("scopes", "may"),
    [("Directory.AccessAsUser.All User.Read", True), ("Group.ReadWrite.All", True), ("User.Read", False), ("openid", False)],
)
def test_an_application_changes_what_its_user_let_it(graph: Graph, there: dict[str, str], scopes: str, *, may: bool) -> None:
    """An administrator's token that is for reading reads, and changes nothing."""
    world, url = graph.call.world, f"{graph.settings.graph_url}/v1.0"
    with world.house.store.writing() as writer:
        user = writer.user(there["user"])
        assert user
        writer.replace_user(replace(user, administrator=True))
    plain = jwt.decode(world.token(audience=graph.settings.graph_url), options={"verify_signature": False})
    token = world.house.directory.sign(world.tenant, plain | {"oid": there["user"], "scp": scopes})
    headers = {"Authorization": f"Bearer {token}"}
    assert graph.call.bare("GET", f"{url}/groups", headers=headers).status_code == 200
    asked = graph.call.bare("POST", f"{url}/me/getMemberGroups", {"securityEnabledOnly": True}, headers=headers)
    assert asked.status_code == 200
    changed = graph.call.bare("PATCH", f"{url}/groups/{there['group']}", {"description": "x"}, headers=headers)
    assert changed.status_code == (204 if may else 403)
