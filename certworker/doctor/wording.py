"""What stands between this machine and another one, in sentences; and what to do about it."""

from urllib.parse import urlsplit

from certworker.doctor.finding import Finding, Reporter
from certworker.errors import CertworkerError, SettingsError
from certworker.network.probe import Hindrance, hindrance_of


def hindered(here: Reporter, who: str, place: str, error: CertworkerError, bundle: str) -> Finding:
    """Say why `who` cannot be reached at a place, HOST:PORT. `bundle` is the setting of the roots that it is checked by."""
    if isinstance(error, SettingsError):
        return here.wrong(f"{who}: {error}", "Put that setting right.")
    kind = hindrance_of(error)
    if kind is Hindrance.NAME:
        return here.skipped(f"{who}: not looked at, since its name does not resolve ({place}).")
    said, to_do = _told(kind, place, bundle)
    if kind in (Hindrance.EGRESS, Hindrance.OTHER):
        return here.wrong(f"{who}: {error}", to_do)
    return here.wrong(f"{who}: {said}", to_do)


def _told(kind: Hindrance, place: str, bundle: str) -> tuple[str, str]:
    sentences = {
        Hindrance.EGRESS: ("", ""),
        Hindrance.REFUSED: (f"nothing listens at {place}.", "See that it runs, and that its port is right."),
        Hindrance.TIME: (f"{place} did not answer in time.", "Look whether a firewall stands between this machine and it."),
        Hindrance.ROUTE: (f"there is no way from this machine to {place}.", "Look at this machine's network and its routes."),
        Hindrance.UNTRUSTED: (
            f"the TLS certificate of {place} is of a root that is not trusted here.",
            f"Set {bundle} to the PEM file of its root, or find out who answers in its place.",
        ),
        Hindrance.EXPIRED: (f"the TLS certificate of {place} has expired.", "Tell whoever runs it; look at this clock, too."),
        Hindrance.NOT_YET_VALID: (f"the TLS certificate of {place} is not valid yet.", "Look at the clock of this machine."),
        Hindrance.OTHER_NAME: (
            f"the TLS certificate of {place} is for another name.",
            "Use the name that the certificate has, or find out who answers in its place.",
        ),
        Hindrance.TLS: (
            f"{place} does not speak TLS as it should.",
            "See that the port is the one for https (TLS 1.2 or newer).",
        ),
        Hindrance.OTHER: ("", "Look at it from this machine, with `curl -v` for example."),
    }
    return sentences[kind]


def place_of_url(url: str) -> str:
    """Give HOST:PORT of a URL, which is all of it that may be shown."""
    try:
        parts = urlsplit(url)
        port = parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        return "an address that is none"
    return f"{parts.hostname or '?'}:{port}"
