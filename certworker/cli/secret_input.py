"""What nobody may see over a shoulder or in a list of processes: asked for without echo, or read from standard input."""

import sys

import typer

from certworker.errors import BadParameter


def read_secret(what: str, *, twice: bool = False) -> str:
    """Ask a person for a secret, or take the next line of standard input. Raises BadParameter where there is none."""
    if sys.stdin.isatty():
        return str(typer.prompt(what, hide_input=True, confirmation_prompt=twice, err=True))
    line = sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    if not line:
        raise BadParameter(f"{what}: it is read from the terminal, or from standard input, which is empty.")
    return line


def secret_lines(what: str) -> list[str]:
    """Ask a person for one secret, or take all lines of standard input."""
    if sys.stdin.isatty():
        return [read_secret(what)]
    return [line.strip() for line in sys.stdin if line.strip()]
