"""`certworker identity user` and `identity administrator`."""

from types import MappingProxyType
from typing import Annotated, Final

import typer

from certworker.cli.identity_options import Config, Generate, directory, show_many, show_one
from certworker.cli.objects import Yes, confirm
from certworker.cli.options import AsJson, VaultUrl, Wire
from certworker.cli.output import show_json, tell, tell_done

app = typer.Typer(help="Users.", no_args_is_help=True)
administrators = typer.Typer(help="Who administers the directory.", no_args_is_help=True)

UserName = Annotated[str, typer.Argument(help="User principal name (NAME@DOMAIN), or object id.")]
Who = Annotated[str, typer.Argument(help="User principal name, name of an application, or object id.")]
_FIELDS: Final = MappingProxyType(
    {"user name": "userPrincipalName", "name": "displayName", "enabled": "accountEnabled", "id": "id"}
)
_MEMBERS: Final = MappingProxyType({"name": "displayName", "user name": "userPrincipalName", "id": "id"})
_ROLE: Final = "/directoryRoles/62e90394-69f5-4237-9190-012177145e10/members"


@app.command()
def create(
    user_name: Annotated[str, typer.Argument(help="User principal name: NAME@DOMAIN.")],
    *,
    display_name: Annotated[str, typer.Option("--display-name", help="Name that people read; else the one before the @.")] = "",
    generate: Generate = False,
    config: Config = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Add a user. The password is asked for, read from standard input, or made; a made one is changed at the first sign-in."""
    password = _password(generate=generate)
    body = {
        "userPrincipalName": user_name,
        "displayName": display_name or user_name.partition("@")[0],
        "accountEnabled": True,
        "passwordProfile": {"password": password, "forceChangePasswordNextSignIn": generate},
    }
    with directory(config, vault_url) as people:
        made = people.call("POST", "/users", body)
    _show_with_password(made, password if generate else "", as_json=as_json)


@app.command("list")
def list_(*, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """List the users."""
    with directory(config, vault_url) as people:
        show_many(people.all("/users"), _FIELDS, as_json=as_json)


@app.command()
def show(user: UserName, *, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Show a user, and the groups that the user is in."""
    with directory(config, vault_url) as people:
        found = people.call("GET", f"/users/{user}")
        groups = [one["displayName"] for one in people.all(f"/users/{user}/transitiveMemberOf")]
    show_one({**found, "groups": groups}, {**_FIELDS, "mail": "mail", "groups": "groups"}, as_json=as_json)


@app.command()
def delete(
    user: UserName, *, yes: Yes = False, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False
) -> None:
    """Delete a user: refused at once, in no group any more; role assignments stay and grant nothing."""
    confirm(f"Delete the user {user}?", yes=yes)
    with directory(config, vault_url) as people:
        people.call("DELETE", f"/users/{user}")
    tell_done(f"The user {user} is deleted.", {"user": user, "deleted": True}, as_json=as_json)


@app.command()
def disable(user: UserName, *, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Let a user do nothing, from now on."""
    with directory(config, vault_url) as people:
        people.call("PATCH", f"/users/{user}", {"accountEnabled": False})
    tell_done(f"The user {user} is disabled.", {"user": user, "enabled": False}, as_json=as_json)


@app.command()
def enable(user: UserName, *, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Let a user act again."""
    with directory(config, vault_url) as people:
        people.call("PATCH", f"/users/{user}", {"accountEnabled": True})
    tell_done(f"The user {user} is enabled.", {"user": user, "enabled": True}, as_json=as_json)


@app.command()
def reset_password(
    user: UserName, *, generate: Generate = False, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False
) -> None:
    """Give a user another password: asked for, read from standard input, or made. A made one is changed at the next sign-in."""
    password = _password(generate=generate)
    profile = {"password": password, "forceChangePasswordNextSignIn": generate}
    with directory(config, vault_url) as people:
        people.call("PATCH", f"/users/{user}", {"passwordProfile": profile})
        found = people.call("GET", f"/users/{user}")
    _show_with_password(found, password if generate else "", as_json=as_json)


@administrators.command("list")
def list_administrators(*, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """List who administers the directory."""
    with directory(config, vault_url) as people:
        show_many(people.all(_ROLE), _MEMBERS, as_json=as_json)


@administrators.command()
def add(who: Who, *, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Let a user or an application administer the directory. That is no role on any vault."""
    with directory(config, vault_url) as people:
        object_id = people.somebody(who)
        people.call("POST", f"{_ROLE}/$ref", {"@odata.id": f"/directoryObjects/{object_id}"})
    tell_done(f"{who} administers the directory.", {"who": who, "administrator": True}, as_json=as_json)


@administrators.command()
def remove(who: Who, *, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Relieve somebody of it; the last one stays."""
    with directory(config, vault_url) as people:
        people.call("DELETE", f"{_ROLE}/{people.somebody(who)}/$ref")
    tell_done(f"{who} administers the directory no longer.", {"who": who, "administrator": False}, as_json=as_json)


def _password(*, generate: bool) -> str:
    from certworker.cli.secret_input import read_secret  # noqa: PLC0415
    from certworker.crypto.passwords import new_password  # noqa: PLC0415

    return new_password() if generate else read_secret("Password", twice=True)


def _show_with_password(found: Wire, password: str, *, as_json: bool) -> None:
    shown = {name: value for name, value in found.items() if name != "@odata.context"}
    if password:
        shown["password"] = password
    if as_json:
        show_json(shown)
        return
    show_one(shown, {**_FIELDS, "password": "password"}, as_json=False)
    if password:
        tell("The password is shown this once, and is to be changed at the next sign-in.")
