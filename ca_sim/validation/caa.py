"""CAA records: which authorities may issue for a name (RFC 8659), for which accounts and by which challenges (RFC 8657)."""

import asyncio
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from dns.rdtypes.ANY.CAA import CAA

from ca_sim.identifiers import Identifier
from ca_sim.problems import CaaError, DnsError
from ca_sim.validation.name_servers import DnsLookupError, NameServers, NoSuchNameError

CRITICAL = 128
_KNOWN_TAGS = frozenset({"issue", "issuewild", "issuemail", "iodef", "contactemail", "contactphone"})
_LABEL = r"[A-Za-z0-9](?:-*[A-Za-z0-9])*"
_ISSUER = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PARAMETER = re.compile(rf"({_LABEL})[ \t]*=[ \t]*([\x21-\x3a\x3c-\x7e]*)")


@dataclass(frozen=True, slots=True)
class Property:
    """A CAA record: its flags, its tag in lower case, and its value."""

    flags: int
    tag: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuance:
    """What is to be allowed: for whom, after which challenge, and whether for a wildcard; `identities` are the authority's."""

    identities: Collection[str]
    account_url: str
    challenge: str
    wildcard: bool


@dataclass(frozen=True, slots=True)
class Caa:
    """Looks CAA records up, which takes no longer than `seconds`. `account_url` gives the URL of the account with an id."""

    servers: NameServers
    identities: Sequence[str]
    account_url: Callable[[str], str]
    seconds: float

    async def check(self, identifier: Identifier, *, challenge: str, account_id: str, wildcard: bool) -> None:
        """Check that the records of a name allow the issuance; those of addresses do not exist.

        Raises CaaError, and DnsError when it cannot be found out.
        """
        if identifier.type != "dns":
            return
        name = identifier.base.value
        try:
            async with asyncio.timeout(self.seconds):
                holder, properties = await self._relevant(name)
        except TimeoutError as error:
            raise DnsError(f"looking up CAA of {name} and the names above it: no answer within {self.seconds:g} s") from error
        issuance = Issuance(
            identities=self.identities,
            account_url=self.account_url(account_id),
            challenge=challenge,
            wildcard=wildcard or identifier.is_wildcard,
        )
        reason = refusal(properties, issuance)
        if reason:
            raise CaaError(f"the CAA records of {holder} forbid this authority to issue for {identifier.value}: {reason}")

    async def _relevant(self, name: str) -> tuple[str, list[Property]]:
        """Climb to the first name that has records, top-level domains included (RFC 8659 section 3)."""
        labels = name.split(".")
        for first in range(len(labels)):
            holder = ".".join(labels[first:])
            found = await self._properties(holder)
            if found:
                return holder, found
        return name, []

    async def _properties(self, name: str) -> list[Property]:
        try:
            records = await self.servers.look_up(name, "CAA")
        except NoSuchNameError:
            return []
        except DnsLookupError as error:
            raise DnsError(f"looking up CAA of {name}: {error}") from error
        return [
            Property(record.flags, record.tag.decode("latin-1").lower(), record.value.decode("latin-1"))
            for record in records
            if isinstance(record, CAA)
        ]


def refusal(properties: Sequence[Property], issuance: Issuance) -> str | None:
    """Say why the records that hold for a name forbid an issuance, or give None (RFC 8659 section 4)."""
    unknown = [found.tag for found in properties if found.flags & CRITICAL and found.tag not in _KNOWN_TAGS]
    if unknown:
        return f"the critical property {unknown[0]} is not known here"
    relevant = [found.value for found in properties if found.tag == "issue"]
    if issuance.wildcard:
        relevant = [found.value for found in properties if found.tag == "issuewild"] or relevant
    if not relevant:
        return None
    flaws = [_flaw(value, issuance) for value in relevant]
    return None if None in flaws else "; ".join(dict.fromkeys(flaw for flaw in flaws if flaw))


def _flaw(value: str, issuance: Issuance) -> str | None:
    """Say why one issue property does not allow it, or give None. A malformed one allows nobody (section 4.2)."""
    issuer, _, rest = value.partition(";")
    issuer, parameters = issuer.strip(" \t"), _parameters(rest)
    if parameters is None or (issuer and not _ISSUER.fullmatch(issuer)):
        return "a property is malformed, which allows nobody"
    if issuer.lower() not in {identity.lower() for identity in issuance.identities}:
        return f"{issuer or 'nobody'} is allowed"
    accounts = [text for name, text in parameters if name == "accounturi"]
    if accounts and accounts != [issuance.account_url]:
        return "accounturi names another account"
    methods = [text for name, text in parameters if name == "validationmethods"]
    # Twice the same parameter can be met by nobody (RFC 8657 sections 3 and 4).
    if methods and (len(methods) > 1 or issuance.challenge not in methods[0].split(",")):
        return f"validationmethods does not allow {issuance.challenge}"
    return None


def _parameters(text: str) -> list[tuple[str, str]] | None:
    """Read `tag=value; tag=value`; None when it is malformed."""
    if not text.strip(" \t"):
        return []
    found = [_PARAMETER.fullmatch(part.strip(" \t")) for part in text.split(";")]
    return [(match[1].lower(), match[2]) for match in found if match] if all(found) else None
