"""The raw operations, in as many processes at once as there are cores: what no server can be faster than."""

import multiprocessing
import os
from collections.abc import Callable
from functools import partial
from time import perf_counter

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from certworker.crypto.keys import generate_key, load_private

TURN_SECONDS = 1.0
_DIGEST = b"\1" * 32
_HASHED = utils.Prehashed(hashes.SHA256())


def raw_rate(name: str, processes: int) -> float:
    """Measure one of `RS256`, `ES256`, `A256GCM`."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return sum(pool.map(_rate, [name] * processes))


def _rate(name: str) -> float:
    work = _work(name)
    begun, count = perf_counter(), 0
    while perf_counter() - begun < TURN_SECONDS:
        work()
        count += 1
    return count / (perf_counter() - begun)


def _work(name: str) -> Callable[[], object]:
    if name == "A256GCM":
        key = AESGCM(os.urandom(32))
        return lambda: key.encrypt(os.urandom(12), b"p" * 32, None)
    if name == "ES256":
        signer = load_private(generate_key("EC", None, "P-256"))
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        return partial(signer.sign, _DIGEST, ec.ECDSA(_HASHED))
    private = load_private(generate_key("RSA", 2048, None))
    assert isinstance(private, rsa.RSAPrivateKey)
    return partial(private.sign, _DIGEST, padding.PKCS1v15(), _HASHED)
