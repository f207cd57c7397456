"""Keys of the authority: how they are made, kept and used for signing."""

from typing import Literal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from ca_sim.settings import KeyType

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | mldsa.MLDSA65PrivateKey
VerifyingKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | mldsa.MLDSA65PublicKey
AnyKeyType = KeyType | Literal["ml-dsa-65"]
Family = Literal["ec", "rsa", "ml-dsa"]


def make_key(key_type: AnyKeyType) -> SigningKey:
    """Make a private key."""
    if key_type == "ml-dsa-65":
        return mldsa.MLDSA65PrivateKey.generate()
    if key_type.startswith("rsa-"):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(key_type.removeprefix("rsa-")))
    return ec.generate_private_key(ec.SECP384R1() if key_type == "ec-p384" else ec.SECP256R1())


def key_pem(key: SigningKey) -> bytes:
    """Give the private key in PKCS #8 PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def load_key(pem: bytes) -> SigningKey:
    """Read a private key that `key_pem` gave. Raises ValueError."""
    # What the authority wrote itself needs no check of its primes, which takes 45 ms for each RSA key.
    key = load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, SigningKey):
        raise ValueError("the key is of a kind that is not used here")  # noqa: TRY004 - as other unusable files
    return key


def family_of(key: SigningKey) -> Family:
    """Name the family of a key."""
    if isinstance(key, mldsa.MLDSA65PrivateKey):
        return "ml-dsa"
    return "rsa" if isinstance(key, rsa.RSAPrivateKey) else "ec"


def type_of(key: SigningKey) -> AnyKeyType:
    """Name the type of a key; one that no setting names is taken for the nearest that does."""
    if isinstance(key, mldsa.MLDSA65PrivateKey):
        return "ml-dsa-65"
    if isinstance(key, rsa.RSAPrivateKey):
        return "rsa-4096" if key.key_size > 2048 else "rsa-2048"  # noqa: PLR2004 - bits
    return "ec-p384" if key.key_size > 256 else "ec-p256"  # noqa: PLR2004 - bits


def digest_for(key: SigningKey) -> hashes.SHA256 | hashes.SHA384 | None:
    """Choose the hash of a signature: SHA-384 for P-384, none for ML-DSA, SHA-256 otherwise."""
    if isinstance(key, mldsa.MLDSA65PrivateKey):
        return None
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > 256:  # noqa: PLR2004 - bits
        return hashes.SHA384()
    return hashes.SHA256()


def sign(key: SigningKey, data: bytes) -> bytes:
    """Sign data as certificates are signed (PKCS #1 v1.5 for RSA)."""
    if isinstance(key, mldsa.MLDSA65PrivateKey):
        return key.sign(data)
    digest = digest_for(key) or hashes.SHA256()
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), digest)
    return key.sign(data, ec.ECDSA(digest))
