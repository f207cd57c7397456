"""What the options of `create` say, in the words of a certificate policy on the wire."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

from certworker.cli.files import read_text
from certworker.cli.options import Wire

LONGEST_COMMON_NAME = 64


class KeyType(StrEnum):
    """Kinds of keys; those of an HSM lie in the vault's hardware token."""

    RSA = "RSA"
    EC = "EC"
    RSA_HSM = "RSA-HSM"
    EC_HSM = "EC-HSM"


Subject = Annotated[
    str, typer.Option("--subject", help="Subject, such as CN=www.example.com,O=Example; else CN= the first DNS name.")
]
DnsNames = Annotated[list[str] | None, typer.Option("--dns", help="A DNS name; may be given more than once.")]
Addresses = Annotated[list[str] | None, typer.Option("--ip", help="An IP address; may be given more than once.")]
Emails = Annotated[list[str] | None, typer.Option("--email", help="An e-mail address; may be given more than once.")]
KeyTypeOption = Annotated[
    KeyType | None, typer.Option("--key-type", case_sensitive=False, help="RSA unless a curve is given; -HSM: in a token.")
]
KeySize = Annotated[int | None, typer.Option("--key-size", help="Bits of an RSA key: 2048, 3072 or 4096.")]
Curve = Annotated[str | None, typer.Option("--curve", help="Curve of an EC key: P-256, P-384, P-521 or P-256K.")]
NotExportable = Annotated[bool, typer.Option("--not-exportable", help="The private key never leaves the vault.")]


@dataclass(frozen=True, slots=True)
class Request:
    """What a certificate is to be, as the options say it."""

    subject: str = ""
    dns: tuple[str, ...] = ()
    ip: tuple[str, ...] = ()
    email: tuple[str, ...] = ()
    key_type: KeyType | None = None
    key_size: int | None = None
    curve: str | None = None
    not_exportable: bool = False

    @property
    def names_something(self) -> bool:
        """Whether it says what the certificate is for."""
        return bool(self.subject or self.dns or self.ip or self.email)

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing at all."""
        return self == Request()


def request_of(
    subject: str,
    names: Mapping[str, Sequence[str] | None],
    key_type: KeyType | None,
    key_size: int | None,
    curve: str | None,
    *,
    not_exportable: bool,
) -> Request:
    """Gather the options of a command; an option that may be repeated is none where it was not given."""
    given = {kind: tuple(values or ()) for kind, values in names.items()}
    return Request(subject, **given, key_type=key_type, key_size=key_size, curve=curve, not_exportable=not_exportable)


def policy_of(request: Request, issuer: str, profile: str | None = None) -> Wire:
    """Say it as a policy. Raises typer's BadParameter where the options do not go together."""
    if not request.names_something:
        raise typer.BadParameter("it needs a --subject or a --dns name")
    kty = request.key_type or (KeyType.RSA if request.curve is None else KeyType.EC)
    elliptic, in_token = kty in {KeyType.EC, KeyType.EC_HSM}, kty in {KeyType.RSA_HSM, KeyType.EC_HSM}
    if elliptic and request.key_size is not None:
        raise typer.BadParameter("an EC key has a --curve and no --key-size")
    if not elliptic and request.curve is not None:
        raise typer.BadParameter("an RSA key has a --key-size and no --curve")
    # what lies in a token never leaves it
    key: Wire = {"kty": kty.value, "exportable": not (request.not_exportable or in_token)}
    key |= {"crv": request.curve or "P-256"} if elliptic else {"key_size": request.key_size or 2048}
    # a key of a curve signs, and enciphers nothing
    usage = {"key_usage": ["digitalSignature"]} if elliptic else {}
    return {
        "key_props": key,
        "x509_props": {"subject": _subject(request), **_names(request), **usage},
        "issuer": {"name": issuer, **({"cty": profile} if profile else {})},
    }


def _subject(request: Request) -> str:
    if request.subject or not request.dns or len(request.dns[0]) > LONGEST_COMMON_NAME:
        return request.subject
    return f"CN={request.dns[0]}"


def _names(request: Request) -> Wire:
    kinds = {"dns_names": request.dns, "ipAddresses": request.ip, "emails": request.email}
    names = {kind: list(values) for kind, values in kinds.items() if values}
    return {"sans": names} if names else {}


def read_policy(name: str) -> Wire:
    """Read a policy out of a JSON file. Raises typer's BadParameter."""
    try:
        policy: Any = json.loads(read_text(name))
    except ValueError as error:
        raise typer.BadParameter(f"{name} is not JSON: {error}") from None
    if not isinstance(policy, dict):
        raise typer.BadParameter(f"{name} is not a JSON object")
    return policy
