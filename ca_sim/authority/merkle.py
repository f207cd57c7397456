"""The Merkle tree of a log (RFC 6962 section 2.1). Pure: leaf hashes in, hashes and proofs out."""

from collections.abc import Sequence
from hashlib import sha256


def leaf_hash(leaf: bytes) -> bytes:
    """Hash a leaf."""
    return sha256(b"\0" + leaf).digest()


def root_hash(leaves: Sequence[bytes]) -> bytes:
    """Hash the tree over these leaf hashes."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return _node(root_hash(leaves[:split]), root_hash(leaves[split:]))


def audit_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Give the proof that a leaf is in the tree, from below (section 2.1.1)."""
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*audit_path(index, leaves[:split]), root_hash(leaves[split:])]
    return [*audit_path(index - split, leaves[split:]), root_hash(leaves[:split])]


def consistency_proof(first: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Give the proof that the tree begins with that of its first `first` leaves, at least one (section 2.1.2)."""
    return _subproof(first, leaves, whole=True)


def _subproof(first: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if first == len(leaves):
        return [] if whole else [root_hash(leaves)]
    split = _split(len(leaves))
    if first <= split:
        return [*_subproof(first, leaves[:split], whole=whole), root_hash(leaves[split:])]
    return [*_subproof(first - split, leaves[split:], whole=False), root_hash(leaves[:split])]


def _split(size: int) -> int:
    """Give the largest power of two below a size of two or more."""
    return 1 << ((size - 1).bit_length() - 1)


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()
