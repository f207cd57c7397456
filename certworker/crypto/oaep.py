"""OAEP (RFC 8017 section 7.1.2), taken off outside of a token that decrypts RSA but does not know the hash.

Nothing branches on a secret byte before the one answer at the end. Python promises no constant time, so this is as good as it
gets here; a token that takes the padding off itself is better.
"""

import hashlib
import hmac

from certworker.errors import BadParameter


def remove_oaep(block: bytes, hash_name: str, refusal: str) -> bytes:
    """Give the message in a decrypted block (label empty, MGF1 with the same hash). Raises BadParameter, in one text."""
    size = hashlib.new(hash_name).digest_size
    if len(block) < 2 * size + 2:
        raise BadParameter(refusal, "value")
    seed = _xor(block[1 : 1 + size], _mask(block[1 + size :], size, hash_name))
    data = _xor(block[1 + size :], _mask(seed, len(block) - size - 1, hash_name))
    is_right = hmac.compare_digest(data[:size], hashlib.new(hash_name).digest()) & (block[0] == 0)
    begin, looking, is_zero = 0, 1, 1
    for place, byte in enumerate(data[size:], start=size):
        is_one, is_none = int(byte == 1), int(byte == 0)
        begin |= (place + 1) * (looking & is_one)
        is_zero &= is_none | is_one | (1 - looking)
        looking &= 1 - is_one
    if not (is_right & (looking == 0) & (is_zero == 1)):
        raise BadParameter(refusal, "value")
    return data[begin:]


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")


def _mask(seed: bytes, length: int, hash_name: str) -> bytes:
    """Make MGF1's mask (RFC 8017 appendix B.2.1)."""
    size = hashlib.new(hash_name).digest_size
    rounds = (hashlib.new(hash_name, seed + counter.to_bytes(4, "big")).digest() for counter in range(-(-length // size)))
    return b"".join(rounds)[:length]
