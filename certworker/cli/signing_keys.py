"""`certworker identity signing-key`: the keys that sign tokens."""

from pathlib import Path
from typing import Annotated

import typer

from certworker.cli.options import AsJson
from certworker.cli.output import show_json

app = typer.Typer(help="The keys that sign tokens.", no_args_is_help=True)


@app.command()
def rotate(
    config: Annotated[Path, typer.Option("--config", "-c", help="Settings file of this machine's deployment.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Let another key sign tokens from now on. What the older one has signed holds until it expires."""
    from certworker.bootstrap import open_house  # noqa: PLC0415  # `--help` starts without it
    from certworker.cli.local_acts import recorded  # noqa: PLC0415
    from certworker.cli.seal_opening import opened_source  # noqa: PLC0415
    from certworker.settings import load_settings  # noqa: PLC0415

    settings = load_settings(config)
    with open_house(settings, source=opened_source(settings), migrating=False) as house, recorded(settings, "SigningKeyRotate"):
        key = house.sign_in.signing_keys.rotate()
    if as_json:
        show_json({"key_id": key.id})
    else:
        typer.echo(f"The key {key.id} signs tokens now.")
