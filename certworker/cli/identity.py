"""`certworker identity`: users, groups, applications, managed identities, and who administers them."""

import typer

from certworker.cli import identity_applications, identity_groups, identity_users, signing_keys

app = typer.Typer(help="The directory: users, groups, applications, and what they show.", no_args_is_help=True)
app.add_typer(identity_users.app, name="user")
app.add_typer(identity_groups.app, name="group")
app.add_typer(identity_applications.app, name="app")
app.add_typer(identity_applications.managed, name="managed-identity")
app.add_typer(identity_users.administrators, name="administrator")
app.add_typer(signing_keys.app, name="signing-key")
