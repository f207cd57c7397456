"""Opening the seal from a terminal: of the service that runs here, or for one command alone."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import typer

from certworker.cli.output import tell
from certworker.cli.secret_input import read_secret, secret_lines
from certworker.errors import BadParameter, Sealed, Unavailable
from certworker.seal.channel import ask, ask_for_key
from certworker.seal.enclosing import Enclosed, NewSeal
from certworker.seal.keeper import Opening
from certworker.seal.master_file import MasterFile, no_wrapping_key
from certworker.seal.sources import MasterKeySource, source_of
from certworker.settings import Seal, SealKind, Settings

PASSPHRASE = "Passphrase of the seal"  # noqa: S105  # what it is asked for by
SHARE = "Share of the seal"


def opened_source(settings: Settings) -> MasterKeySource | None:
    """Find the master key's source; none where the house finds it by itself, because it is a token.

    A wrapped key is opened by the service that runs here, or else by who gives the command.
    """
    if settings.seal.master_key_label:
        return None
    if settings.seal.kind is SealKind.NONE:
        return source_of(settings.seal)
    try:
        key = ask_for_key(settings.seal.socket)
    except Sealed:
        key = _open_here(settings.seal)
    return source_of(settings.seal, lambda: key)


class Opened(NamedTuple):
    """How far the seal of a service is open, in a sentence too."""

    text: str
    is_sealed: bool


def unseal_service(settings: Settings, secrets: Callable[[str], list[str]]) -> Opened:
    """Bring the service that runs here what opens its seal; tell how far it is."""
    seal = settings.seal
    if seal.kind is SealKind.NONE:
        return Opened("There is no seal ([seal] kind is none).", is_sealed=False)
    state = ask(seal.socket, {"ask": "status"})
    if not state["sealed"]:
        return Opened("The service is unsealed already.", is_sealed=False)
    name, what = ("share", SHARE) if seal.kind is SealKind.SHAMIR else ("passphrase", PASSPHRASE)
    for secret in secrets(what):
        state = ask(seal.socket, {"ask": "unseal", name: secret})
        if not state["sealed"]:
            break
    return Opened(told(state), state["sealed"])


def adopt(seal: Seal, enclosed: Enclosed) -> None:
    """Tell the service that runs here unsealed of another lock, so that it can start its processes again."""
    with suppress(Unavailable):
        ask(seal.socket, {"ask": "adopt", "key": enclosed.wrapping_key.hex()})


def told(state: dict[str, Any]) -> str:
    """Say how far the opening is."""
    return f"Sealed still: {state['have']} of {state['needed']} shares." if state["sealed"] else "The service is unsealed."


def new_seal(kind: str, shares: int, threshold: int) -> NewSeal:
    """Ask for what a new seal is made of. Raises typer's BadParameter for a kind that there is not."""
    match kind:
        case SealKind.PASSPHRASE:
            return NewSeal(SealKind.PASSPHRASE, read_secret("New passphrase of the seal", twice=True))
        case SealKind.SHAMIR:
            return NewSeal(SealKind.SHAMIR, None, shares, threshold)
    raise typer.BadParameter("it is passphrase or shamir", param_hint="--kind")


def _open_here(seal: Seal) -> bytes:
    opening = Opening(MasterFile(seal.master_key_file, seal.kind, no_wrapping_key))
    while True:
        state = opening.progress()
        if seal.kind is SealKind.SHAMIR:
            tell(f"The master key is wrapped: {state['have']} of {state['needed']} shares.")
            found = [opening.offer(None, share) for share in secret_lines(SHARE)]
        else:
            found = [opening.offer(read_secret(PASSPHRASE), None)]
        key = next((one for one in found if one), None)
        if key:
            return key
        if not found:
            raise BadParameter("There are not enough shares.")
