"""What a message says to a person: what has come about, why, and what is to be done, with the exact commands. Pure."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from certworker.vault.notification.facts import distance, fact, known_facts, moment, one_line, show_time
from certworker.vault.notification.message import Message, Severity, Topic
from certworker.vault.notification.topics import REMINDERS
from certworker.vault.objects import ObjectKind

UNKNOWN: Final = "Unknown"
"""The issuer of certificates that a person has signed elsewhere."""
AUTO_RENEW: Final = "AutoRenew"
NO_ACTION: Final = "none"
"""The action of what nothing is done about by itself."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do; `command` is to be run as it stands."""

    text: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A message in words. `title` is one line; `facts` are labels and values."""

    title: str
    why: str
    steps: tuple[Step, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Commands about one object of a vault, which lies at `vault_suffix`."""

    message: Message
    vault_suffix: str

    @property
    def vault_url(self) -> str:
        """The URL of the message's vault."""
        return f"https://{self.message.vault}.{self.vault_suffix}"

    def command(self, *words: str) -> str:
        """Write a command for a shell, about the message's vault; a message about several vaults has none."""
        return shlex.join(["certworker", *words, *(("--vault-url", self.vault_url) if self.message.vault else ())])

    def step(self, text: str, *words: str) -> Step:
        """Make a step with its command."""
        return Step(text, self.command(*words))

    def look(self) -> Step:
        """Look at what is planned."""
        return self.step("See what happens next, when and why:", "plan", self.message.name)


def explain(message: Message, vault_suffix: str) -> Explanation:
    """Say what a message means, and what to do; vaults are at NAME.`vault_suffix`."""
    name, version = one_line(message.name), one_line(message.version or "")
    clean = replace(message, vault=one_line(message.vault), name=name, version=version or None, id=one_line(message.id))
    place = Place(clean, vault_suffix)
    found = _EXPLAIN[message.topic](place)
    reminded = message.topic in REMINDERS and message.vault
    known = place.step("To hear no more of this, as it is known:", "notify", "acknowledge", clean.id)
    return replace(found, steps=(*found.steps, *((known,) if reminded else ())), facts=_subject_of(clean) + known_facts(clean))


def _subject_of(message: Message) -> tuple[tuple[str, str], ...]:
    if message.topic is Topic.TEST:
        return (("Time", show_time(message.at, message.at)),)
    rows = [("Time", f"{message.at:%Y-%m-%d %H:%M} UTC"), ("Vault", message.vault)]
    if message.name and not message.parts:
        rows.append((message.kind.value.capitalize(), message.name))
    if message.version:
        rows.append(("Version", message.version))
    return tuple((label, value) for label, value in rows if value)


def _what(place: Place) -> str:
    return f"{place.message.kind.value.capitalize()} {place.message.name}"


def _near_expiry(place: Place) -> Explanation:
    end = moment(place.message, "exp")
    when = distance(end, place.message.at) if end else "soon"
    what = _what(place)
    why = f"{what} is valid until {fact(place.message, 'exp') or 'a time that is near'}. Who uses it then is refused."
    return Explanation(f"{what} expires {when}", f"{why}{_automatic(place)}", _replacing(place))


def _expired(place: Place) -> Explanation:
    what = _what(place)
    why = f"{what} was valid until {fact(place.message, 'exp') or 'now'}, and is of no use any more."
    return Explanation(f"{what} has expired", f"{why}{_automatic(place)}", _replacing(place))


def _automatic(place: Place) -> str:
    if place.message.kind is not ObjectKind.CERTIFICATE:
        return " Nothing replaces it by itself."
    if _is_manual(place):
        return " Its issuer is Unknown, so a person has to have it signed."
    if place.message.facts.get("action") == AUTO_RENEW:
        return " Its policy has it renewed automatically; something is to be done only if that does not come about."
    return " Nothing in its policy says that it is renewed automatically." if "action" in place.message.facts else ""


def _is_manual(place: Place) -> bool:
    return place.message.facts.get("issuer", "").casefold() == UNKNOWN.casefold()


def _replacing(place: Place) -> tuple[Step, ...]:
    """Say how a new version is made."""
    name = place.message.name
    match place.message.kind:
        case ObjectKind.KEY:
            return (place.step("Make a new version:", "key", "rotate", name),)
        case ObjectKind.SECRET:
            return (place.step("Set a new value, which is asked for:", "secret", "set", name),)
    if _is_manual(place):
        return _signing(place)
    if place.message.facts.get("action") == AUTO_RENEW:
        return (place.look(), place.step("To renew it at once:", "certificate", "renew", name))
    return (place.step("Renew it now:", "certificate", "renew", name), place.look())


def _signing(place: Place) -> tuple[Step, ...]:
    name = place.message.name
    return (
        place.step("Make a key and a signing request for the next version:", "csr", "create", name, "-o", f"{name}.csr"),
        place.step("Have it signed by your CA, and put what comes back into the vault:", "csr", "merge", name, f"{name}.pem"),
    )


def _new_version(place: Place) -> Explanation:
    what = _what(place)
    why = f"{what} has a new version. Whoever does not follow the vault by himself has to take it from there."
    return Explanation(f"{what} has a new version", why, (_show(place, "Look at it:"),))


def _show(place: Place, text: str) -> Step:
    return place.step(text, place.message.kind.value, "show", place.message.name)


def _renewal_starts(place: Place) -> Explanation:
    name = place.message.name
    when = fact(place.message, "renewal_at")
    why = f"Certificate {name} is to be renewed{f' at {when}' if when else ' soon'}. Nothing is to be done."
    return Explanation(f"Certificate {name} is to be renewed", f"{why} How it went is told after it.", (place.look(),))


def _renewed(place: Place) -> Explanation:
    name = place.message.name
    why = f"Certificate {name} was renewed, and its new version is the current one. Whoever serves it should load it now."
    return Explanation(f"Certificate {name} was renewed", why, (_show(place, "Look at it:"),))


def _renewal_failed(place: Place) -> Explanation:
    name = place.message.name
    if place.message.facts.get("next"):
        why = f"Certificate {name} could not be renewed. It is tried again by itself; what the CA said may need a person."
    else:
        why = f"Certificate {name} could not be renewed. What the CA said tells what a person has to put right."
    steps = (place.look(), place.step("When the cause is removed, try at once:", "certificate", "renew", name))
    return Explanation(f"The renewal of {name} failed", why, steps)


def _renewal_overdue(place: Place) -> Explanation:
    name, end = place.message.name, moment(place.message, "exp")
    left = f" It expires {distance(end, place.message.at)}." if end else ""
    why = f"Certificate {name} should have been renewed by now, and has not been.{left}"
    steps = (place.look(), place.step("Try at once:", "certificate", "renew", name), *_examining(place))
    return Explanation(f"The renewal of {name} is overdue", why, _signing(place) if _is_manual(place) else steps)


def _renewal_paused(place: Place) -> Explanation:
    name = place.message.name
    why = f"The renewal of certificate {name} is paused{_by(place)}. It is not renewed before it is resumed."
    steps = (place.look(), place.step("Resume it:", "certificate", "resume", name))
    return Explanation(f"The renewal of {name} is paused", why, steps)


def _by(place: Place) -> str:
    by, why = fact(place.message, "by"), fact(place.message, "why")
    return (f" by {by}" if by else "") + (f" ({why})" if why else "")


def _revoked(place: Place) -> Explanation:
    name, reason, about = place.message.name, fact(place.message, "reason"), fact(place.message, "about")
    what = f"{about}, which stands above certificate {name}," if about else f"Certificate {name}"
    why = (
        f"{what} was revoked{f' (reason: {reason})' if reason else ''}. Clients may refuse {'both' if about else 'it'} by now."
    )
    told, steps = _replaced(place)
    return Explanation(f"Certificate {name} was revoked", f"{why} {told}", steps)


def _replaced(place: Place) -> tuple[str, tuple[Step, ...]]:
    """Say what becomes of a revoked certificate, and what a person has to do for that."""
    name, action = place.message.name, place.message.facts.get("action", "")
    by_hand = place.step("Replace it now:", "certificate", "renew", name)
    if _is_manual(place) and action in ("", NO_ACTION):
        return "Its issuer is Unknown, so a person has to have the next one signed.", _signing(place)
    if _is_manual(place):
        request = place.step("Take the signing request:", "csr", "show", name, "-o", f"{name}.csr")
        return "A new key and a signing request are made; a person has to have it signed.", (request, _signing(place)[1])
    if action == NO_ACTION:
        return "Nothing replaces it by itself.", (by_hand, place.look())
    return "It is replaced as soon as its CA allows.", (place.look(), by_hand)


def _revocation_unknown(place: Place) -> Explanation:
    name, since = place.message.name, fact(place.message, "since")
    why = f"Whether certificate {name} was revoked cannot be told{f', since {since}' if since else ''}. Unknown is not good."
    return Explanation(
        f"Whether {name} was revoked is not known", why, (place.step("Look again now:", "revocation", "check", name),)
    )


def _key_compromised(place: Place) -> Explanation:
    name = place.message.name
    why = f"The private key of {place.message.kind.value} {name} is compromised. It is never used again, in any vault."
    steps = _replacing(place) if _is_manual(place) or place.message.kind is not ObjectKind.CERTIFICATE else (place.look(),)
    told = Step("Whatever else used this key has to get a new one: other servers, copies, pinned keys.")
    return Explanation(f"The key of {name} is compromised", why, (*steps, told))


def _issuer_down(place: Place) -> Explanation:
    issuer = _issuer(place)
    why = f"The CA behind the issuer {issuer} does not answer. Renewals wait; nothing is counted against the certificates."
    return Explanation(f"Issuer {issuer} is down", why, (*_examining(place), place.step("See what waits:", "plan")))


def _issuer(place: Place) -> str:
    return fact(place.message, "issuer") or place.message.name


def _examining(place: Place) -> tuple[Step, ...]:
    issuer = _issuer(place) if place.message.topic is Topic.ISSUER_DOWN else fact(place.message, "issuer")
    return (place.step("See whether its CA answers:", "issuer", "test", issuer),) if issuer else ()


def _failed_over(place: Place) -> Explanation:
    name, to = place.message.name, fact(place.message, "to") or "the next issuer"
    before = fact(place.message, "from") or fact(place.message, "issuer") or "its own issuer"
    why = f"Certificate {name} is asked of {to}, since {before} does not issue it. The next renewal goes to {before} again."
    return Explanation(f"{name} goes to {to}", why, (place.look(),))


def _digest(place: Place) -> Explanation:
    count = len(place.message.parts)
    worst = sum(part.severity is Severity.CRITICAL for part in place.message.parts)
    why = f"So much came at once that it is told in one message{f'; {worst} of it critical' if worst else ''}."
    steps = (place.step("See what happens next to each certificate:", "plan"),)
    return Explanation(f"{count} notices", why, steps)


def _test(place: Place) -> Explanation:  # noqa: ARG001 - one of many of this shape
    why = "This is a test. Whoever reads it will be told of certificates, keys and secrets in the same way."
    return Explanation("A test of notices", why, (Step("Nothing is to be done."),))


_EXPLAIN: Final[Mapping[Topic, Callable[[Place], Explanation]]] = MappingProxyType(
    {
        Topic.NEAR_EXPIRY: _near_expiry,
        Topic.EXPIRED: _expired,
        Topic.NEW_VERSION: _new_version,
        Topic.RENEWAL_STARTS: _renewal_starts,
        Topic.RENEWED: _renewed,
        Topic.RENEWAL_FAILED: _renewal_failed,
        Topic.RENEWAL_OVERDUE: _renewal_overdue,
        Topic.RENEWAL_PAUSED: _renewal_paused,
        Topic.REVOKED: _revoked,
        Topic.REVOCATION_UNKNOWN: _revocation_unknown,
        Topic.KEY_COMPROMISED: _key_compromised,
        Topic.ISSUER_DOWN: _issuer_down,
        Topic.FAILED_OVER: _failed_over,
        Topic.DIGEST: _digest,
        Topic.TEST: _test,
    }
)
