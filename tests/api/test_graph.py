"""The directory by HTTP: users, groups, applications and service principals, as Graph's clients ask."""

from base64 import b64encode
from datetime import timedelta
from typing import Any

import httpx
import pytest

from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import generate_key
from certworker.crypto.x509 import CertificateRequest, self_sign
from certworker.errors import IdentityDisabled, Unauthenticated
from certworker.vault.vaults import Principal
from tests.api.world import Caller

PASSWORD = "Correct-horse-9"
NOBODY = "00000000-0000-0000-0000-000000000000"
ADMINISTRATOR_ROLE = "62e90394-69f5-4237-9190-012177145e10"


class Graph:
    """Calls the directory, as the administrator unless told otherwise."""

    def __init__(self, call: Caller) -> None:
        self.call = call
        self.settings = call.world.house.settings

    def ask(
        self,
        method: str,
        path: str,
        json: Any = None,  # noqa: ANN401 - any JSON
        who: Principal | None = None,
        audience: str | None = None,
    ) -> httpx.Response:
        """Call a path of v1.0."""
        token = self.call.world.token(who, audience or self.settings.graph_url)
        url = f"{self.settings.graph_url}/v1.0{path}"
        return self.call.bare(method, url, json, headers={"Authorization": f"Bearer {token}"})

    def get(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        """Get what is there."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def list(self, path: str) -> list[Any]:
        """List all of it, page by page."""
        found, link = [], path
        while link:
            page = self.get(link)
            found += page["value"]
            link = page.get("@odata.nextLink", "").rpartition("/v1.0")[2]
        return found

    def make(self, kind: str, **properties: Any) -> Any:  # noqa: ANN401 - any JSON
        """Add an object."""
        answer = self.ask("POST", f"/{kind}", properties)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def user(self, name: str = "ada@contoso.test", **properties: Any) -> Any:  # noqa: ANN401 - any JSON
        """Add a user with a password."""
        profile = {"password": PASSWORD, "forceChangePasswordNextSignIn": False}
        given = {"userPrincipalName": name, "displayName": name.partition("@")[0].title(), "accountEnabled": True}
        return self.make("users", **{**given, "passwordProfile": profile, **properties})

    def group(self, name: str) -> Any:  # noqa: ANN401 - any JSON
        """Add a security group."""
        return self.make("groups", displayName=name, mailNickname=name, mailEnabled=False, securityEnabled=True)

    def done(self, method: str, path: str, json: Any = None) -> None:  # noqa: ANN401 - any JSON
        """Ask for what has no answer."""
        answer = self.ask(method, path, json)
        assert answer.status_code == 204, answer.text

    def ref(self, object_id: str) -> dict[str, str]:
        """Refer to an object as az does."""
        return {"@odata.id": f"{self.settings.graph_url}/v1.0/directoryObjects/{object_id}"}


@pytest.fixture
def graph(call: Caller) -> Graph:
    """Call the directory of a founded deployment."""
    return Graph(call)


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Give status and code of a refusal."""
    return answer.status_code, answer.json()["error"]["code"]


def test_a_user_is_made_found_changed_and_deleted(graph: Graph) -> None:
    """By object id and by name in any case; a name is given once; the password is nowhere shown."""
    made = graph.user()
    assert "assword" not in str(made)
    assert graph.get("/users/ADA@contoso.test")["id"] == graph.get(f"/users/{made['id']}")["id"] == made["id"]
    assert graph.list("/users?$filter=userPrincipalName%20eq%20'Ada@Contoso.test'")[0]["mailNickname"] == "ada"
    again = graph.ask("POST", "/users", {"userPrincipalName": "ADA@contoso.test", "displayName": "x"})
    assert code_of(again) == (400, "Request_BadRequest")
    graph.done("PATCH", "/users/ada@contoso.test", {"displayName": "Countess", "accountEnabled": False})
    assert graph.get(f"/users/{made['id']}?$select=displayName,accountEnabled") == {
        "@odata.context": f"{graph.settings.graph_url}/v1.0/$metadata#users/$entity",
        "id": made["id"],
        "displayName": "Countess",
        "accountEnabled": False,
    }
    graph.done("DELETE", "/users/ada@contoso.test")
    assert code_of(graph.ask("GET", f"/users/{made['id']}")) == (404, "Request_ResourceNotFound")


def test_a_password_is_checked(graph: Graph) -> None:
    """The words never tell whether name or password is wrong; a disabled account says so to whoever has its password."""
    graph.user()
    directory, tenant = graph.call.world.house.directory, graph.call.world.tenant
    assert directory.check_password(tenant, "ADA@contoso.test", PASSWORD).display_name == "Ada"
    words = set()
    for name, password in (("ada@contoso.test", "wrong"), ("bob@contoso.test", PASSWORD), ("ada@contoso.test", "")):
        with pytest.raises(Unauthenticated) as refusal:
            directory.check_password(tenant, name, password)
        words.add(str(refusal.value))
    assert len(words) == 1
    graph.done("PATCH", "/users/ada@contoso.test", {"accountEnabled": False})
    with pytest.raises(IdentityDisabled):
        directory.check_password(tenant, "ada@contoso.test", PASSWORD)


@pytest.mark.parametrize(
    "body",
    [
        {"displayName": "x"},
        {"userPrincipalName": "x@y.test"},
        {"userPrincipalName": "no name", "displayName": "x"},
        {"userPrincipalName": "x@y.test", "displayName": ""},
        {"userPrincipalName": "x@y.test", "displayName": "x", "passwordProfile": {"password": "short"}},
        {"userPrincipalName": "x@y.test", "displayName": "x", "passwordProfile": {"password": "alllowercase"}},
        {"userPrincipalName": "x@y.test", "displayName": "x", "mailNickname": "with blank"},
    ],
)
def test_what_cannot_be_a_user_is_refused(graph: Graph, body: dict[str, Any]) -> None:
    """And is not made; the refusal does not repeat the password."""
    answer = graph.ask("POST", "/users", body)
    assert code_of(answer) == (400, "Request_BadRequest")
    assert "alllowercase" not in answer.text
    assert graph.list("/users") == []


def test_groups_are_nested(graph: Graph) -> None:
    """Members by themselves and by groups; a circle is refused; whoever is deleted is in no group."""
    inner, outer, ada = graph.group("inner"), graph.group("outer"), graph.user()
    graph.done("POST", f"/groups/{inner['id']}/members/$ref", graph.ref(ada["id"]))
    graph.done("POST", f"/groups/{outer['id']}/members/$ref", graph.ref(inner["id"]))
    assert [one["@odata.type"] for one in graph.list(f"/groups/{outer['id']}/members")] == ["#microsoft.graph.group"]
    assert {one["id"] for one in graph.list(f"/groups/{outer['id']}/transitiveMembers")} == {inner["id"], ada["id"]}
    users = graph.list(f"/groups/{outer['id']}/transitiveMembers/microsoft.graph.user")
    assert [one["userPrincipalName"] for one in users] == ["ada@contoso.test"]
    assert [one["displayName"] for one in graph.list("/users/ada@contoso.test/memberOf")] == ["inner"]
    answer = graph.ask("POST", "/users/ada@contoso.test/getMemberGroups", {"securityEnabledOnly": False})
    assert set(answer.json()["value"]) == {inner["id"], outer["id"]}
    check = {"groupIds": [outer["id"], NOBODY]}
    answer = graph.ask("POST", f"/directoryObjects/{ada['id']}/checkMemberGroups", check)
    assert answer.json()["value"] == [outer["id"]]
    for group, member, words in ((inner, outer, "is in it"), (inner, inner, "is in it"), (inner, ada, "already exist")):
        refused = graph.ask("POST", f"/groups/{group['id']}/members/$ref", graph.ref(member["id"]))
        assert code_of(refused) == (400, "Request_BadRequest")
        assert words in refused.text
    graph.done("DELETE", f"/groups/{outer['id']}/members/{inner['id']}/$ref")
    assert graph.list(f"/groups/{outer['id']}/members") == []
    graph.done("DELETE", "/users/ada@contoso.test")
    assert graph.list(f"/groups/{inner['id']}/members") == []


def test_an_application_acts_by_its_secrets_until_they_are_removed(graph: Graph) -> None:
    """As `az ad app create`, `az ad sp create`, `az ad app credential reset` and `delete` ask."""
    application = graph.make("applications", displayName="shop", identifierUris=["api://shop"])
    principal = graph.make("servicePrincipals", appId=application["appId"], accountEnabled=True)
    assert principal["servicePrincipalNames"] == [application["appId"], "api://shop"]
    end = f"{graph.call.world.clock() + timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}"
    wanted = {"passwordCredential": {"displayName": "rbac", "endDateTime": end}}
    made = graph.ask("POST", f"/applications/{application['id']}/addPassword", wanted).json()
    directory, tenant = graph.call.world.house.directory, graph.call.world.tenant
    signed_in = directory.authenticate(tenant, application["appId"], made["secretText"])
    assert signed_in.object_id == principal["id"]
    shown = graph.get(f"/applications(appId='{application['appId']}')")["passwordCredentials"]
    assert [(one["keyId"], one["secretText"], one["hint"]) for one in shown] == [(made["keyId"], None, made["secretText"][:3])]
    graph.call.world.clock.advance(timedelta(days=30))
    with pytest.raises(Unauthenticated):
        directory.authenticate(tenant, application["appId"], made["secretText"])
    second = graph.ask("POST", f"/servicePrincipals/{principal['id']}/addPassword", {}).json()
    assert directory.authenticate(tenant, application["appId"], second["secretText"])
    graph.done("POST", f"/applications/{application['id']}/removePassword", {"keyId": second["keyId"]})
    with pytest.raises(Unauthenticated):
        directory.authenticate(tenant, application["appId"], second["secretText"])
    gone = graph.ask("POST", f"/applications/{application['id']}/removePassword", {"keyId": second["keyId"]})
    assert code_of(gone) == (404, "Request_ResourceNotFound")


def test_an_application_has_certificates_and_foreign_tokens(graph: Graph) -> None:
    """A PATCH names all certificates: those it names without their bytes stay."""
    at = graph.call.world.clock()
    request = CertificateRequest("CN=shop", SubjectNames(), ("digitalSignature",), ())
    der = self_sign(generate_key("EC", None, "P-256"), request, at, at + timedelta(days=90), authority=False)
    key = {"key": b64encode(der).decode(), "type": "AsymmetricX509Cert", "usage": "Verify"}
    application = graph.make("applications", displayName="shop", keyCredentials=[key])
    (first,) = application["keyCredentials"]
    path = f"/applications/{application['id']}"
    graph.done("PATCH", path, {"keyCredentials": [first, key]})
    kept, added = graph.get(path)["keyCredentials"]
    assert kept == first
    graph.done("PATCH", path, {"keyCredentials": [added]})
    assert graph.get(path)["keyCredentials"] == [added]
    assert code_of(graph.ask("PATCH", path, {"keyCredentials": [{"key": "bm8="}]})) == (400, "Request_BadRequest")
    foreign = {"name": "ci", "issuer": "https://ci.test", "subject": "repo:main", "audiences": ["api://AzureADTokenExchange"]}
    assert graph.ask("POST", f"{path}/federatedIdentityCredentials", foreign).status_code == 201
    graph.done("PATCH", f"{path}/federatedIdentityCredentials/ci", {"subject": "repo:release"})
    assert graph.get(f"{path}/federatedIdentityCredentials/ci")["subject"] == "repo:release"
    plain = {**foreign, "name": "plain", "issuer": "http://ci.test"}
    assert code_of(graph.ask("POST", f"{path}/federatedIdentityCredentials", plain)) == (400, "Request_BadRequest")
    graph.done("DELETE", f"{path}/federatedIdentityCredentials/ci")
    assert graph.list(f"{path}/federatedIdentityCredentials") == []


@pytest.mark.parametrize(
    "uris",
    [
        {"web": {"redirectUris": ["http://shop.test/"]}},
        {"web": {"redirectUris": ["https://*.shop.test/"]}},
        {"web": {"redirectUris": ["javascript:alert(1)"]}},
        {"publicClient": {"redirectUris": ["javascript:alert(1)"]}},
        {"spa": {"redirectUris": ["https://shop.test/#here"]}},
        {"web": {"redirectUris": ["https://shop.test@evil.test/"]}},
        {"identifierUris": ["no-scheme"]},
        {"signInAudience": "AzureADMultipleOrgs"},
    ],
)
def test_uris_that_let_others_in_are_refused(graph: Graph, uris: dict[str, Any]) -> None:
    """Plain http but for loopback, wildcards, scripts, user names; an application is for one tenant."""
    assert code_of(graph.ask("POST", "/applications", {"displayName": "shop", **uris})) == (400, "Request_BadRequest")


def test_an_identifier_uri_is_of_one_application(graph: Graph) -> None:
    """A token for it would be for both."""
    graph.make("applications", displayName="one", identifierUris=["api://shop"])
    second = graph.make("applications", displayName="two", web={"redirectUris": ["http://localhost:5000/"]})
    for uri in ("api://shop", "API://shop/"):
        answer = graph.ask("PATCH", f"/applications/{second['id']}", {"identifierUris": [uri]})
        assert code_of(answer) == (400, "Request_BadRequest")
    graph.done("PATCH", f"/applications/{second['id']}", {"publicClient": {"redirectUris": ["http://localhost"]}})
    assert graph.get(f"/applications/{second['id']}")["web"]["redirectUris"] == ["http://localhost:5000/"]


def test_what_az_asks_to_find_an_assignee(graph: Graph) -> None:
    """`az role assignment create --assignee`: by name, by client id or identifier URI, by object id."""
    application = graph.make("applications", displayName="shop", identifierUris=["api://shop"])
    principal = graph.make("servicePrincipals", appId=application["appId"])
    for name in (application["appId"], "api://shop"):
        found = graph.list(f"/servicePrincipals?$filter=servicePrincipalNames/any(c:c%20eq%20'{name}')")
        assert [one["id"] for one in found] == [principal["id"]]
    assert graph.list(f"/applications?$filter=appId%20eq%20'{application['appId'].upper()}'")[0]["id"] == application["id"]
    assert graph.list("/applications?$filter=startswith(displayName,'SH')")[0]["id"] == application["id"]
    group = graph.group("auditors")
    types = ["user", "group", "servicePrincipal", "directoryObjectPartnerReference"]
    ids = [NOBODY, principal["id"], group["id"], application["id"]]
    found = graph.ask("POST", "/directoryObjects/getByIds", {"ids": ids, "types": types}).json()["value"]
    assert [(one["id"], one["@odata.type"]) for one in found] == [
        (principal["id"], "#microsoft.graph.servicePrincipal"),
        (group["id"], "#microsoft.graph.group"),
    ]
    assert graph.get("/organization")["value"][0]["id"] == graph.call.world.tenant


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("displayName eq 'B' and mailNickname eq 'b'", {"b"}),
        ("displayName eq 'a' or displayName eq 'c'", {"a", "c"}),
        ("not (displayName in ('a','b'))", {"c"}),
        ("securityEnabled eq true and displayName ne 'a'", {"b", "c"}),
        ("description eq null", {"a", "b", "c"}),
        ("endswith(displayName,'c')", {"c"}),
        ("displayName eq 'o''neill'", set()),
    ],
)
def test_a_filter_finds(graph: Graph, text: str, names: set[str]) -> None:
    """Texts are compared without regard to case, and a quote is doubled."""
    for name in ("a", "b", "c"):
        graph.group(name)
    assert {one["displayName"] for one in graph.list(f"/groups?$filter={text.replace(' ', '%20')}")} == names


@pytest.mark.parametrize(
    "query",
    ["$filter=displayName", "$filter=displayName%20is%20'a'", "$filter=(displayName%20eq%20'a'", "$filter=what('a')",
     "$filter=displayName%20eq%20'a", "$filter=" + "(" * 60, "$filter=securityEnabled%20gt%20'a'", "$top=0", "$top=x",
     "$skiptoken=!", "$expand=members", "$search=a"],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(graph: Graph, query: str) -> None:
    """A filter that is not understood is never passed over."""
    graph.group("a")
    assert code_of(graph.ask("GET", f"/groups?{query}")) == (400, "Request_BadRequest")


def test_lists_come_in_pages(graph: Graph) -> None:
    """Each page leads to the next one."""
    for name in "abcde":
        graph.group(name)
    page = graph.get("/groups?$top=2&$count=true&$orderby=displayName%20desc")
    assert page["@odata.count"] == 5
    assert [one["displayName"] for one in page["value"]] == ["e", "d"]
    assert [one["displayName"] for one in graph.list("/groups?$top=2")] == list("abcde")


def test_only_administrators_and_owners_change(graph: Graph) -> None:
    """Everybody of the tenant may look; owners, and no group is one, change what is theirs; nobody makes an administrator."""
    world = graph.call.world
    guest, _ = world.add_principal("guest", administrator=False)
    group, application = graph.group("theirs"), graph.make("applications", displayName="theirs")
    assert graph.ask("GET", "/groups", who=guest).status_code == 200
    body = {"userPrincipalName": "x@y.test", "displayName": "x"}
    role = f"/directoryRoles/{ADMINISTRATOR_ROLE}/members/$ref"
    me = graph.ref(guest.object_id)
    for path, json in (
        ("/users", body),
        ("/groups", {"displayName": "x"}),
        ("/applications", {"displayName": "x"}),
        (role, me),
    ):
        assert code_of(graph.ask("POST", path, json, guest)) == (403, "Authorization_RequestDenied")
    for path in (f"/groups/{group['id']}/members/$ref", f"/applications/{application['id']}/owners/$ref"):
        assert code_of(graph.ask("POST", path, me, guest)) == (403, "Authorization_RequestDenied")
    owning = graph.ref(group["id"])["@odata.id"]
    for path, owned in (
        ("/groups", {"displayName": "x", "owners@odata.bind": [owning]}),
        (f"/groups/{group['id']}/owners/$ref", graph.ref(group["id"])),
    ):
        assert code_of(graph.ask("POST", path, owned)) == (400, "Request_BadRequest")
    for kind, one in (("groups", group), ("applications", application)):
        graph.done("POST", f"/{kind}/{one['id']}/owners/$ref", me)
        assert graph.ask("PATCH", f"/{kind}/{one['id']}", {"displayName": "mine"}, guest).status_code == 204
        graph.done("DELETE", f"/{kind}/{one['id']}/owners/{guest.object_id}/$ref")
        assert code_of(graph.ask("DELETE", f"/{kind}/{one['id']}", who=guest)) == (403, "Authorization_RequestDenied")


def test_an_owner_does_not_become_an_administrator(graph: Graph) -> None:
    """An owner of an application that administers the directory gets no secret of it: whoever has one is it."""
    world = graph.call.world
    guest, _ = world.add_principal("guest", administrator=False)
    application = graph.get(f"/applications(appId='{world.administrator.client_id}')")
    graph.done("POST", f"/applications/{application['id']}/owners/$ref", graph.ref(guest.object_id))
    refused = graph.ask("POST", f"/applications/{application['id']}/addPassword", {}, guest)
    assert code_of(refused) == (403, "Authorization_RequestDenied")


def test_an_administrator_stays(graph: Graph) -> None:
    """The last one is neither deleted nor disabled nor relieved; with a second one the first may go."""
    me = graph.call.world.administrator.object_id
    role = f"/directoryRoles(roleTemplateId='{ADMINISTRATOR_ROLE}')/members"
    for method, path, json in (
        ("DELETE", f"/servicePrincipals/{me}", None),
        ("PATCH", f"/servicePrincipals/{me}", {"accountEnabled": False}),
        ("DELETE", f"{role}/{me}/$ref", None),
    ):
        assert code_of(graph.ask(method, path, json)) == (400, "Request_BadRequest")
    ada = graph.user()
    graph.done("POST", f"{role}/$ref", graph.ref(ada["id"]))
    assert {one["id"] for one in graph.list(role)} == {me, ada["id"]}
    graph.done("DELETE", f"{role}/{me}/$ref")
    assert code_of(graph.ask("POST", "/groups", {"displayName": "x"})) == (403, "Authorization_RequestDenied")


def test_whoever_is_disabled_or_deleted_is_refused_at_once(graph: Graph) -> None:
    """On every plane, with the token that was good a moment ago."""
    world = graph.call.world
    guest, _ = world.add_principal("guest", administrator=False)
    path = f"/servicePrincipals/{guest.object_id}"
    assert graph.ask("GET", "/groups", who=guest).status_code == 200
    graph.done("PATCH", path, {"accountEnabled": False})
    refused = graph.ask("GET", "/groups", who=guest)
    assert code_of(refused) == (401, "InvalidAuthenticationToken")
    assert "disabled" in refused.text
    header = {"Authorization": f"Bearer {world.token(guest)}"}
    assert graph.call.bare("GET", "/secrets?api-version=2026-04-01", headers=header).status_code == 401
    graph.done("PATCH", path, {"accountEnabled": True})
    assert graph.ask("GET", "/groups", who=guest).status_code == 200
    graph.done("DELETE", path)
    assert "no longer" in graph.ask("GET", "/groups", who=guest).text


@pytest.mark.parametrize(
    "audience", ["https://graph.microsoft.com", "https://graph.microsoft.com/", "https://graph.localhost:8443/"]
)
def test_tokens_are_for_the_directory(graph: Graph, audience: str) -> None:
    """Under its own name and Azure's; not for vaults or for anybody else; a missing one is asked for."""
    assert graph.ask("GET", "/organization", audience=audience).status_code == 200
    for wrong in (graph.settings.resource, graph.settings.management_url, "https://other.test"):
        assert code_of(graph.ask("GET", "/organization", audience=wrong)) == (401, "InvalidAuthenticationToken")
    bare = graph.call.bare("GET", f"{graph.settings.graph_url}/v1.0/users")
    assert code_of(bare) == (401, "InvalidAuthenticationToken")
    assert bare.headers["WWW-Authenticate"].startswith("Bearer ")


def test_the_directory_is_at_the_bare_domain_as_well(graph: Graph) -> None:
    """For machines on which graph.localhost does not resolve; links lead where the client called."""
    graph.group("a")
    graph.group("b")
    token = graph.call.world.token(None, graph.settings.graph_url)
    url = "https://localhost:8443/v1.0/groups?$top=1"
    answer = graph.call.bare("GET", url, headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["@odata.nextLink"].startswith("https://localhost:8443/v1.0/groups?")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("PUT", "/users", 405), ("GET", "/me", 400)])
def test_what_is_not_there_says_so(graph: Graph, method: str, path: str, status: int) -> None:
    """In Graph's shape; an application has no /me."""
    answer = graph.ask(method, path)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message", "innerError"}
