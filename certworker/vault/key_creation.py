"""Keys are made here, or come from elsewhere; under a name that a key has already, they are its next version."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from certworker.clock import Clock, whole_second
from certworker.crypto.jwk import read_private_jwk
from certworker.crypto.keys import CURVES, OCT_SIZES, RSA_SIZES, KeyKind, check_exponent
from certworker.errors import BadParameter
from certworker.vault.access import Access, Caller
from certworker.vault.heads import check_vacant
from certworker.vault.hsm import IN_HSM
from certworker.vault.key_settings import KeySettings, check_exportable, check_key_ops, new_attributes
from certworker.vault.key_versions import add_version, discarding, plan_rotation, with_material
from certworker.vault.materials import Material, Materials
from certworker.vault.objects import Attributes, KeyVersion, ObjectKind, check_name, check_tags, new_version
from certworker.vault.store import Store
from certworker.vault.vaults import Vault

DEFAULT_CURVE = "P-256"
DEFAULT_EXPONENT = 65537
NO_SETTINGS = KeySettings()


@dataclass(frozen=True, slots=True)
class WantedKey:
    """What somebody asks for: Key Vault's `kty`, and whatever of the rest belongs to it."""

    kty: str
    size: int | None = None
    curve: str | None = None
    exponent: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ArrivingKey:
    """A key that comes from elsewhere: the members of a JWK in base64url. Its `repr` shows nothing of it."""

    kty: str
    members: Mapping[str, str]
    in_hsm: bool = False


class KeyCreation:
    """Makes keys and takes keys in. Both are done outside of transactions, and stored all at once."""

    def __init__(self, store: Store, access: Access, materials: Materials, clock: Clock) -> None:
        self._store = store
        self._access = access
        self._materials = materials
        self._clock = clock

    def create(
        self, caller: Caller, vault: Vault, name: str, wanted: WantedKey, settings: KeySettings = NO_SETTINGS
    ) -> KeyVersion:
        """Make a key. Raises BadParameter, DeletedButRecoverable, Conflict, and for one in a token Unavailable."""
        self._access.require(caller, vault, "keys", "create", name=name)
        kind, in_hsm = kind_wanted(wanted)

        def make(version: str) -> Material:
            return self._materials.make(vault, name, version, kind, in_hsm=in_hsm)

        return self._store_version(vault, name, kind, settings, make, "create", in_hsm=in_hsm)

    def import_(
        self, caller: Caller, vault: Vault, name: str, arriving: ArrivingKey, settings: KeySettings = NO_SETTINGS
    ) -> KeyVersion:
        """Take a key in. Raises as `create`, and BadParameter for a key that is not sound."""
        self._access.require(caller, vault, "keys", "import", name=name)
        if arriving.members.get("key_hsm"):
            raise BadParameter("key.key_hsm: a key that was wrapped for an HSM cannot be opened here.", "key.key_hsm")
        jwk = read_private_jwk(arriving.kty.removesuffix(IN_HSM), arriving.members)
        in_hsm = arriving.in_hsm or arriving.kty.endswith(IN_HSM)

        def take(version: str) -> Material:
            return self._materials.take(vault, name, version, jwk.kind, jwk.private_key, in_hsm=in_hsm)

        return self._store_version(vault, name, jwk.kind, settings, take, "import", in_hsm=in_hsm)

    def _store_version(
        self,
        vault: Vault,
        name: str,
        kind: KeyKind,
        settings: KeySettings,
        make: Callable[[str], Material],
        reason: str,
        *,
        in_hsm: bool,
    ) -> KeyVersion:
        at, version = whole_second(self._clock()), new_version()
        with self._store.glance() as reader:
            # looked at once more when the key is stored; what is refused here costs no key
            check_vacant(reader, vault, ObjectKind.KEY, check_name(name))
            current = reader.key(vault.id, name, None)
        kty = kind.kty + IN_HSM if in_hsm else kind.kty
        blank = KeyVersion(vault.id, name, version, kty, b"", b"", (), Attributes(at, at), exportable=False)
        unmade = _unmade(blank, settings, current, in_hsm=in_hsm)
        material = make(version)
        with discarding(self._materials, material), self._store.writing() as writer:
            if settings.exportable and not settings.release_policy:
                # the policy that goes on is the one of now: it may have been changed while the key was made
                check_vacant(writer, vault, ObjectKind.KEY, name)
                unmade = _unmade(blank, settings, writer.key(vault.id, name, None), in_hsm=in_hsm)
            stored = add_version(writer, vault, with_material(unmade, material), reason, at)
            plan_rotation(writer, stored)
        return stored


def kind_wanted(wanted: WantedKey) -> tuple[KeyKind, bool]:
    """Say what key is to be made, and whether in a token. Raises BadParameter, which names the field."""
    in_hsm, kty = wanted.kty.endswith(IN_HSM), wanted.kty.removesuffix(IN_HSM)
    if kty not in {"RSA", "EC", "oct"}:
        right = "RSA, EC or oct; for a key in a hardware token RSA-HSM, EC-HSM or oct-HSM"
        raise BadParameter(f"kty has the value '{wanted.kty[:40]}': it is {right}.", "kty")
    _refuse_foreign(wanted, kty)
    match kty:
        case "RSA":
            exponent = DEFAULT_EXPONENT if wanted.exponent is None else check_exponent(wanted.exponent, "public_exponent")
            return KeyKind("RSA", _size(wanted.size, RSA_SIZES, RSA_SIZES[0]), exponent=exponent), in_hsm
        case "EC":
            return KeyKind("EC", curve=_curve(wanted)), in_hsm
    return KeyKind("oct", _size(wanted.size, OCT_SIZES, OCT_SIZES[-1])), in_hsm


def _refuse_foreign(wanted: WantedKey, kty: str) -> None:
    """Refuse what belongs to keys of another type: its owner expects another key than this would be."""
    fields = (
        ("crv", wanted.curve, kty != "EC", "has a size (key_size)"),
        ("public_exponent", wanted.exponent, kty != "RSA", "has no public exponent"),
    )
    for name, value, foreign, instead in fields:
        if value is not None and foreign:
            raise BadParameter(f"{name}: a key of the type {kty} {instead}.", name)


def _curve(wanted: WantedKey) -> str:
    """Choose the curve; a size may be said as well, or alone, as long as it is that of the curve."""
    curve = wanted.curve
    if curve is None:
        curve = next((name for name, known in CURVES.items() if known.key_size == wanted.size), DEFAULT_CURVE)
    if curve not in CURVES:
        raise BadParameter(f"crv has the value '{curve[:40]}': it is one of {', '.join(CURVES)}.", "crv")
    if wanted.size not in {None, CURVES[curve].key_size}:
        message = f"key_size has the value {wanted.size}: the curve {curve} has {CURVES[curve].key_size} bits; leave it out."
        raise BadParameter(message, "key_size")
    return curve


def _size(size: int | None, sizes: tuple[int, ...], default: int) -> int:
    if size is None:
        return default
    if size not in sizes:
        raise BadParameter(f"key_size has the value {size}: it is one of {', '.join(map(str, sizes))}.", "key_size")
    return size


def _unmade(key: KeyVersion, settings: KeySettings, current: KeyVersion | None, *, in_hsm: bool) -> KeyVersion:
    """Put what is said into the record of a version whose key is still to be made. Raises BadParameter."""
    exportable, release_policy = check_exportable(settings, current, in_hsm=in_hsm)
    return replace(
        key,
        key_ops=check_key_ops(key.kty, settings.key_ops, exportable=exportable),
        attributes=new_attributes(settings, key.attributes.created),
        exportable=exportable,
        tags=check_tags(settings.tags or {}),
        release_policy=release_policy,
    )
