"""What kinds of leaves there are: by whom they are signed, for what and how long."""

from typing import Annotated, Literal

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import Field

from ca_sim.setting import DAY, Section, Switch

Issuer = Literal["", "ec", "rsa", "ml-dsa"]
"""The family of keys that signs; empty is that of `key_type`."""
Purpose = Literal["serverAuth", "clientAuth"]
LeafKeyType = Literal["rsa", "ec-p256", "ec-p384", "ec-p521"]


class LeafRules(Section):
    """How leaves of a kind are made.

    `common_name` is that of the request ("asked"), that or the first DNS name ("always"), or left out ("never").
    `key_encipherment` is for RSA keys alone. Without `ocsp` a leaf names no responder: its CRL tells of its revocation.
    The key identifier of a leaf is what RFC 5280 wants and the baseline requirements advise against.
    """

    issuer: Issuer = ""
    extended_key_usages: Annotated[tuple[Purpose, ...], Field(min_length=1)] = ("serverAuth", "clientAuth")
    key_encipherment: Switch = True
    common_name: Literal["asked", "always", "never"] = "asked"
    key_identifier: Switch = True
    must_staple: Switch = False
    ocsp: Switch = True
    max_names: Annotated[int, Field(strict=True, ge=1, le=100)] = 100
    key_types: Annotated[tuple[LeafKeyType, ...], Field(min_length=1)] = ("rsa", "ec-p256", "ec-p384", "ec-p521")


class Profile(LeafRules):
    """A kind of certificate that an order can ask for by name (draft-ietf-acme-profiles)."""

    validity_seconds: Annotated[int, Field(strict=True, ge=10, le=3650 * DAY)]
    description: str = ""


USUAL = LeafRules()
"""The rules of what is issued by no profile of the settings."""


def leaf_key_type(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> str:
    """Name the type of a leaf's key, as rules name those that they take."""
    return "rsa" if isinstance(key, rsa.RSAPublicKey) else f"ec-p{key.key_size}"
