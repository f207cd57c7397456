"""Users, and whoever calls."""

from typing import Any

from starlette.responses import Response

from certworker.api.bodies import Text
from certworker.api.graph.call import GraphCall, no_content
from certworker.api.graph.memberships import membership_routes
from certworker.api.graph.routing import route
from certworker.api.graph.wire import GraphBody, show_identity, show_user
from certworker.errors import BadParameter

_FIELDS = ("user_principal_name", "display_name", "mail", "mail_nickname", "given_name", "surname", "account_enabled")
_NOT_NULL = {"user_principal_name": "userPrincipalName", "display_name": "displayName", "account_enabled": "accountEnabled"}
_RECORD = {"user_principal_name": "user_name", "account_enabled": "enabled"}
"""Fields that the record calls otherwise."""


class PasswordProfile(GraphBody):
    """A password, and whether it is to be changed at the next sign-in."""

    password: Text | None = None
    force_change_password_next_sign_in: bool | None = None


class UserBody(GraphBody):
    """A user, or what is to be changed of one."""

    user_principal_name: Text | None = None
    display_name: Text | None = None
    mail: Text | None = None
    mail_nickname: Text | None = None
    given_name: Text | None = None
    surname: Text | None = None
    account_enabled: bool | None = None
    password_profile: PasswordProfile | None = None

    def changes(self) -> dict[str, Any]:
        """Give what was sent, by the names of the record. Raises BadParameter for null where something has to be."""
        sent = self.given(*_FIELDS)
        for name, shown in _NOT_NULL.items():
            if name in sent and sent[name] is None:
                raise BadParameter(f"Invalid value specified for property '{shown}' of resource 'User'.", shown)
        found = {_RECORD.get(name, name): value for name, value in sent.items()}
        if "mail_nickname" in found:
            found["mail_nickname"] = found["mail_nickname"] or ""
        profile = self.password_profile
        if profile and (profile.password is not None or profile.force_change_password_next_sign_in is not None):
            found["must_change_password"] = bool(profile.force_change_password_next_sign_in)
        return found

    def password(self) -> str | None:
        """Give the password, if one was sent."""
        return self.password_profile.password if self.password_profile else None


class ChangePassword(GraphBody):
    """What `changePassword` takes."""

    current_password: Text
    new_password: Text


async def list_users(call: GraphCall) -> Response:
    """List the users."""
    return call.many(map(show_user, await call.run(call.house.identities.users.list)), "users")


async def create_user(call: GraphCall) -> Response:
    """Add a user."""
    body = await call.body(UserBody)
    changes = body.changes()
    if "user_name" not in changes or "display_name" not in changes:
        raise BadParameter("A user has userPrincipalName, displayName, and a passwordProfile to sign in by a password.")
    if not changes.get("mail_nickname"):
        changes["mail_nickname"] = changes["user_name"].partition("@")[0]
    return call.one(show_user(await call.run(call.house.identities.users.create, changes, body.password())), "users", 201)


async def get_user(call: GraphCall) -> Response:
    """Show a user, by object id or user principal name."""
    return call.one(show_user(await call.run(call.house.identities.users.get, call["id"])), "users")


async def update_user(call: GraphCall) -> Response:
    """Change a user."""
    body = await call.body(UserBody)
    await call.run(call.house.identities.users.update, call["id"], body.changes(), body.password())
    return no_content()


async def delete_user(call: GraphCall) -> Response:
    """Delete a user."""
    await call.run(call.house.identities.users.delete, call["id"])
    return no_content()


async def show_me(call: GraphCall) -> Response:
    """Show the user who calls."""
    return call.one(show_user(await call.run(call.house.identities.users.get, await my_id(call))), "users")


async def change_my_password(call: GraphCall) -> Response:
    """Let the user who calls choose another password."""
    body = await call.body(ChangePassword)
    await my_id(call)
    await call.run(call.house.identities.users.change_password, body.current_password, body.new_password)
    return no_content()


async def list_owned(call: GraphCall) -> Response:
    """List what a user owns: groups, service principals and applications."""
    objects, applications = call.house.identities.objects, call.house.identities.applications
    who = await (user_id(call) if "id" in call.params else my_id(call))
    ids = await call.run(objects.owned_by, who)
    found = [show_identity(one) for one in await call.run(objects.find, ids)]
    for view in await call.run(applications.list):
        one = view.application
        if one.object_id in ids:
            kind = {"@odata.type": "#microsoft.graph.application"}
            found.append({**kind, "id": one.object_id, "displayName": one.display_name, "appId": one.client_id})
    return call.many(found, "directoryObjects")


async def user_id(call: GraphCall) -> str:
    """Find the object id of the user whom a path names, by object id or user principal name."""
    return (await call.run(call.house.identities.users.get, call["id"])).object_id


async def my_id(call: GraphCall) -> str:
    """Give the object id of the user who calls. Raises BadParameter where an application does."""
    if not call.caller.user_name:
        raise BadParameter("/me request is only valid with delegated authentication flow: an application has no /me.")
    return call.caller.object_id


ROUTES = (
    route("GET", "/me", show_me),
    route("POST", "/me/changePassword", change_my_password),
    route("GET", "/me/ownedObjects", list_owned),
    *membership_routes("/me", my_id),
    route("GET", "/users", list_users),
    route("POST", "/users", create_user),
    route("GET", "/users/{id}", get_user),
    route("PATCH", "/users/{id}", update_user),
    route("DELETE", "/users/{id}", delete_user),
    route("GET", "/users/{id}/ownedObjects", list_owned),
    *membership_routes("/users/{id}", user_id),
)
