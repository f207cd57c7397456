"""`certworker identity group`."""

from types import MappingProxyType
from typing import Annotated, Final

import typer

from certworker.cli.identity_options import Config, directory, show_many, show_one
from certworker.cli.objects import Yes, confirm
from certworker.cli.options import AsJson, VaultUrl
from certworker.cli.output import tell_done

app = typer.Typer(help="Groups, and who is in them.", no_args_is_help=True)

GroupName = Annotated[str, typer.Argument(help="Display name of the group, or object id.")]
Member = Annotated[str, typer.Argument(help="User principal name, display name of a group or application, or object id.")]
_FIELDS: Final = MappingProxyType({"name": "displayName", "description": "description", "id": "id"})
_MEMBERS: Final = MappingProxyType({"name": "displayName", "kind": "kind", "user name": "userPrincipalName", "id": "id"})


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Display name.")],
    *,
    description: Annotated[str, typer.Option("--description", help="What the group is for.")] = "",
    config: Config = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Add a security group."""
    nickname = "".join(letter for letter in name if letter.isascii() and (letter.isalnum() or letter in "-_."))[:64]
    body = {"displayName": name, "mailNickname": nickname or "group", "mailEnabled": False, "securityEnabled": True}
    with directory(config, vault_url) as people:
        made = people.call("POST", "/groups", {**body, **({"description": description} if description else {})})
    show_one(made, _FIELDS, as_json=as_json)


@app.command("list")
def list_(*, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """List the groups."""
    with directory(config, vault_url) as people:
        show_many(people.all("/groups"), _FIELDS, as_json=as_json)


@app.command()
def show(group: GroupName, *, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Show a group."""
    with directory(config, vault_url) as people:
        show_one(people.group(group), _FIELDS, as_json=as_json)


@app.command()
def members(
    group: GroupName,
    *,
    transitive: Annotated[bool, typer.Option("--transitive", help="Also who is in a group in it.")] = False,
    config: Config = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """List who is in a group."""
    with directory(config, vault_url) as people:
        path = "transitiveMembers" if transitive else "members"
        found = people.all(f"/groups/{people.group(group)['id']}/{path}")
    kinds = ({**one, "kind": one["@odata.type"].rpartition(".")[2]} for one in found)
    show_many(found if as_json else list(kinds), _MEMBERS, as_json=as_json)


@app.command()
def delete(
    group: GroupName, *, yes: Yes = False, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False
) -> None:
    """Delete a group; its members stay, and lose what they had by it."""
    confirm(f"Delete the group {group}?", yes=yes)
    with directory(config, vault_url) as people:
        people.call("DELETE", f"/groups/{people.group(group)['id']}")
    tell_done(f"The group {group} is deleted.", {"group": group, "deleted": True}, as_json=as_json)


@app.command()
def add_member(
    group: GroupName, member: Member, *, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False
) -> None:
    """Put somebody, or another group, into a group."""
    with directory(config, vault_url) as people:
        path = f"/groups/{people.group(group)['id']}/members/$ref"
        people.call("POST", path, {"@odata.id": f"/directoryObjects/{people.somebody(member)}"})
    tell_done(f"{member} is in {group}.", {"group": group, "member": member, "is_member": True}, as_json=as_json)


@app.command()
def remove_member(
    group: GroupName, member: Member, *, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False
) -> None:
    """Take somebody out of a group."""
    with directory(config, vault_url) as people:
        people.call("DELETE", f"/groups/{people.group(group)['id']}/members/{people.somebody(member)}/$ref")
    tell_done(f"{member} is no longer in {group}.", {"group": group, "member": member, "is_member": False}, as_json=as_json)
