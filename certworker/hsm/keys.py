"""Keys in a token: made or put there, sensitive and not extractable, and found by their CKA_ID."""

from types import MappingProxyType
from typing import Any, Final

from pkcs11.constants import Attribute, MechanismFlag, ObjectClass
from pkcs11.mechanisms import KeyType

from certworker.crypto.key_numbers import (
    EcNumbers,
    RsaNumbers,
    curve_parameters,
    ec_public_der,
    number_bytes,
    private_numbers,
    rsa_public_der,
)
from certworker.crypto.keys import OCT_SIZES, RSA_SIZES, KeyKind, public_der
from certworker.errors import SealBroken
from certworker.hsm.sessions import Key, TokenSession
from certworker.vault.hsm import HsmKey

Template = dict[Attribute, Any]

KEPT: Final = MappingProxyType(
    {
        Attribute.TOKEN: True,
        Attribute.PRIVATE: True,
        Attribute.SENSITIVE: True,
        Attribute.EXTRACTABLE: False,
        Attribute.DERIVE: False,
    }
)
"""What every key in the token is."""
_PASSING: Final = MappingProxyType({Attribute.TOKEN: False, Attribute.PRIVATE: False})
_RSA = MechanismFlag.SIGN | MechanismFlag.DECRYPT
_EC = MechanismFlag.SIGN
_AES = MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT | MechanismFlag.WRAP | MechanismFlag.UNWRAP


def object_id(key_id: str) -> bytes:
    """Give the CKA_ID of a key: its id, which is hexadecimal."""
    return bytes.fromhex(key_id)


def generate(session: TokenSession, key_id: str, kind: KeyKind) -> HsmKey:
    """Make a key. What an earlier attempt left of it is destroyed first."""
    destroy(session, key_id)
    if kind.kty == "oct":
        make_aes(session, object_id(key_id), _label(key_id), kind.size or OCT_SIZES[-1])
        return HsmKey(key_id, kind, b"")
    public = _generate_rsa(session, key_id, kind) if kind.kty == "RSA" else _generate_ec(session, key_id, kind)
    return HsmKey(key_id, kind, public)


def take(session: TokenSession, key_id: str, kind: KeyKind, private_key: bytes) -> HsmKey:
    """Put a key that was made elsewhere into the token."""
    destroy(session, key_id)
    named: Template = {**KEPT, Attribute.ID: object_id(key_id), Attribute.LABEL: _label(key_id)}
    if kind.kty == "oct":
        session.session.create_object({**_aes_template(private_key), **named})
        return HsmKey(key_id, kind, b"")
    session.session.create_object({**_private_template(private_key), **named})
    return HsmKey(key_id, kind, public_der(private_key))


def find(session: TokenSession, kind: ObjectClass, cka_id: bytes) -> Key:
    """Find a key. Raises SealBroken where the token has none of this id."""
    key = session.key(kind, cka_id)
    if key is None:
        raise SealBroken(f"The hardware token has no key {cka_id.hex()}: it was destroyed there, or this is another token.")
    return key


def measure(session: TokenSession, kind: ObjectClass, cka_id: bytes) -> int:
    """Find a key, and tell the size of a secret one in bits; 0 of a private one."""
    key = find(session, kind, cka_id)
    return int(key[Attribute.VALUE_LEN]) * 8 if kind is ObjectClass.SECRET_KEY else 0


def destroy(session: TokenSession, key_id: str) -> int:
    """Destroy all objects of a key; give their count."""
    session.forget_keys()
    found = session.find({Attribute.ID: object_id(key_id)})
    for each in found:
        each.destroy()
    return len(found)


def make_aes(session: TokenSession, cka_id: bytes, label: str, size: int) -> Key:
    """Make an AES key."""
    return session.session.generate_key(
        KeyType.AES, size, id=cka_id, label=label, store=True, capabilities=_AES, template=dict(KEPT)
    )


def _generate_rsa(session: TokenSession, key_id: str, kind: KeyKind) -> bytes:
    public, _ = session.session.generate_keypair(
        KeyType.RSA,
        kind.size or RSA_SIZES[0],
        id=object_id(key_id),
        label=_label(key_id),
        store=True,
        capabilities=_RSA | MechanismFlag.VERIFY,
        public_template={**_PASSING, Attribute.PUBLIC_EXPONENT: number_bytes(kind.exponent)},
        private_template=dict(KEPT),
    )
    der = rsa_public_der(public[Attribute.MODULUS], public[Attribute.PUBLIC_EXPONENT])
    public.destroy()  # it would stay as long as the session does
    return der


def _generate_ec(session: TokenSession, key_id: str, kind: KeyKind) -> bytes:
    curve = str(kind.curve)
    parameters = session.session.create_domain_parameters(
        KeyType.EC, {Attribute.EC_PARAMS: curve_parameters(curve)}, local=True
    )
    public, _ = parameters.generate_keypair(
        id=object_id(key_id),
        label=_label(key_id),
        store=True,
        capabilities=_EC | MechanismFlag.VERIFY,
        public_template=dict(_PASSING),
        private_template=dict(KEPT),
    )
    der = ec_public_der(curve, public[Attribute.EC_POINT])
    public.destroy()
    return der


def _private_template(private_key: bytes) -> Template:
    template: Template = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.SIGN: True}
    match private_numbers(private_key):
        case RsaNumbers() as numbers:
            return template | {
                Attribute.KEY_TYPE: KeyType.RSA,
                Attribute.DECRYPT: True,
                Attribute.MODULUS: numbers.modulus,
                Attribute.PUBLIC_EXPONENT: numbers.public_exponent,
                Attribute.PRIVATE_EXPONENT: numbers.private_exponent,
                Attribute.PRIME_1: numbers.prime1,
                Attribute.PRIME_2: numbers.prime2,
                Attribute.EXPONENT_1: numbers.exponent1,
                Attribute.EXPONENT_2: numbers.exponent2,
                Attribute.COEFFICIENT: numbers.coefficient,
            }
        case EcNumbers() as numbers:
            return template | {
                Attribute.KEY_TYPE: KeyType.EC,
                Attribute.EC_PARAMS: numbers.parameters,
                Attribute.VALUE: numbers.private,
            }


def _aes_template(octets: bytes) -> Template:
    uses = (Attribute.ENCRYPT, Attribute.DECRYPT, Attribute.WRAP, Attribute.UNWRAP)
    return {
        Attribute.CLASS: ObjectClass.SECRET_KEY,
        Attribute.KEY_TYPE: KeyType.AES,
        Attribute.VALUE: octets,
        **dict.fromkeys(uses, True),
    }


def _label(key_id: str) -> str:
    return f"certworker {key_id}"
