"""The log: timestamps that verify, a tree whose proofs hold, entries that are what was issued."""

import base64
import json
import struct
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from ca_sim.authority.merkle import audit_path, consistency_proof, leaf_hash, root_hash
from tests.ca_sim.issued import Bench, Issued, bench

LEAVES = [leaf_hash(bytes([number])) for number in range(9)]


def fetch(world: Bench, path: str, status: int = 200) -> Any:  # noqa: ANN401 - JSON
    """Read from the log."""
    answer = world.get(f"{world.base}/ct/v1/{path}")
    assert answer.status == status, answer.body
    return json.loads(answer.body)


def log_key(world: Bench) -> ec.EllipticCurvePublicKey:
    """Fetch the key of the log."""
    key = load_der_public_key(world.get(f"{world.base}/ct/key").body)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def verify(key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> None:
    """Check a digitally-signed struct of SHA-256 and ECDSA."""
    assert signature[:2] == b"\4\3"
    assert int.from_bytes(signature[2:4], "big") == len(signature) - 4
    key.verify(signature[4:], data, ec.ECDSA(hashes.SHA256()))


def signed_entry(issued: Issued) -> bytes:
    """Write what a timestamp of a leaf is for (RFC 6962 section 3.2), from the leaf alone."""
    key = issued.issuer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    tbs = issued.leaf.tbs_precertificate_bytes
    return struct.pack(">H", 1) + sha256(key).digest() + len(tbs).to_bytes(3, "big") + tbs + b"\0\0"


def node(left: bytes, right: bytes) -> bytes:
    """Hash an inner node."""
    return sha256(b"\1" + left + right).digest()


def root_by_path(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes:
    """Follow a proof up to the root, as a client does (RFC 9162 section 2.1.3.2)."""
    last, found = size - 1, leaf
    for step in path:
        if index % 2 or index == last:
            found = node(step, found)
            while index % 2 == 0 and index:
                index, last = index >> 1, last >> 1
        else:
            found = node(found, step)
        index, last = index >> 1, last >> 1
    assert last == 0
    return found


def roots_by_consistency(first: int, second: int, old_root: bytes, proof: list[bytes]) -> tuple[bytes, bytes]:
    """Follow a consistency proof to the roots of both trees, as a client does (RFC 9162 section 2.1.4.2)."""
    steps = [old_root, *proof] if first & (first - 1) == 0 else list(proof)
    index, last = first - 1, second - 1
    while index % 2:
        index, last = index >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if index % 2 or index == last:
            old, new = node(step, old), node(step, new)
            while index % 2 == 0 and index:
                index, last = index >> 1, last >> 1
        else:
            new = node(new, step)
        index, last = index >> 1, last >> 1
    return old, new


@pytest.mark.parametrize("size", range(1, 10))
def test_proofs_hold_for_every_tree(size: int) -> None:
    """Each leaf is in it, and each smaller tree is its beginning."""
    root = root_hash(LEAVES[:size])
    for index in range(size):
        assert root_by_path(index, size, LEAVES[index], audit_path(index, LEAVES[:size])) == root
    for first in range(1, size):
        old = root_hash(LEAVES[:first])
        assert roots_by_consistency(first, size, old, consistency_proof(first, LEAVES[:size])) == (old, root)


def test_the_roots_are_those_of_others() -> None:
    """The empty tree, and the tree of the eight leaves that logs are commonly tried with."""
    assert root_hash([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [leaf_hash(bytes.fromhex(text)) for text in inputs]
    assert root_hash(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_a_leaf_holds_a_timestamp_that_verifies() -> None:
    """By the log's key, for just this leaf, and at the virtual time; the same entry is in the tree."""
    with bench(ct_log=True) as world:
        world.issue()
        world.later(timedelta(hours=1))
        issued, key = world.issue(common_name="host2.example.com"), log_key(world)
        issued.leaf.verify_directly_issued_by(issued.issuer)
        (stamp,) = issued.leaf.extensions.get_extension_for_class(x509.PrecertificateSignedCertificateTimestamps).value
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert stamp.log_id == sha256(spki).digest()
        milliseconds = int(world.house.clock().timestamp()) * 1000
        entry = signed_entry(issued)
        signed = b"\0\0" + milliseconds.to_bytes(8, "big") + entry
        key.verify(stamp.signature, signed, ec.ECDSA(hashes.SHA256()))
        with pytest.raises(InvalidSignature):
            key.verify(stamp.signature, signed + b"\0", ec.ECDSA(hashes.SHA256()))
        (found,) = fetch(world, "get-entries?start=1&end=5")["entries"]
        assert base64.b64decode(found["leaf_input"]) == signed
        extra = base64.b64decode(found["extra_data"])
        size = int.from_bytes(extra[:3], "big")
        precertificate = x509.load_der_x509_certificate(extra[3 : 3 + size])
        assert precertificate.extensions.get_extension_for_class(x509.PrecertPoison).critical
        assert precertificate.serial_number == issued.leaf.serial_number
        line = (issued.issuer, world.house.authority.root.certificate)
        above = b"".join(len(der).to_bytes(3, "big") + der for der in (one.public_bytes(Encoding.DER) for one in line))
        assert extra[3 + size :] == len(above).to_bytes(3, "big") + above  # down to the root (section 3.1)


def test_the_tree_is_signed_and_remembered(tmp_path: Path) -> None:
    """Its head verifies, its proofs lead to the head, and a restart goes on with the same key."""
    with bench(tmp_path, ct_log=True) as world:
        for _ in range(3):
            world.issue()
        before, key = fetch(world, "get-sth"), log_key(world)
    with bench(tmp_path, ct_log=True) as world:
        assert log_key(world) == key
        for _ in range(2):
            world.issue()
        head = fetch(world, "get-sth")
        root = base64.b64decode(head["sha256_root_hash"])
        data = b"\0\1" + struct.pack(">QQ", head["timestamp"], head["tree_size"]) + root
        verify(key, base64.b64decode(head["tree_head_signature"]), data)
        assert (before["tree_size"], head["tree_size"]) == (3, 5)
        entries = fetch(world, "get-entries?start=0&end=100")["entries"]
        for index, entry in enumerate(entries):
            leaf = leaf_hash(base64.b64decode(entry["leaf_input"]))
            text = base64.b64encode(leaf).decode().replace("+", "%2B")
            proof = fetch(world, f"get-proof-by-hash?tree_size=5&hash={text}")
            assert proof["leaf_index"] == index
            assert root_by_path(index, 5, leaf, [base64.b64decode(step) for step in proof["audit_path"]]) == root
        steps = [base64.b64decode(step) for step in fetch(world, "get-sth-consistency?first=3&second=5")["consistency"]]
        old = base64.b64decode(before["sha256_root_hash"])
        assert roots_by_consistency(3, 5, old, steps) == (old, root)
        assert len(fetch(world, "get-roots")["certificates"]) == 2


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("get-entries?start=0", 400),
        ("get-entries?start=1&end=0", 400),
        ("get-entries?start=9&end=9", 400),
        ("get-entries?start=-1&end=9", 400),
        ("get-sth-consistency?first=0&second=1", 400),
        ("get-sth-consistency?first=1&second=2", 400),
        ("get-sth-consistency?second=x", 400),
        ("get-proof-by-hash?tree_size=1&hash=!", 400),
        ("get-proof-by-hash?tree_size=1&hash=AAAA", 404),
        ("get-proof-by-hash?tree_size=2&hash=AAAA", 404),
    ],
)
def test_what_cannot_be_is_refused(path: str, status: int) -> None:
    """Numbers that are missing, none, or beyond the tree; hashes of nothing."""
    with bench(ct_log=True) as world:
        world.issue()
        assert fetch(world, path, status)["error_message"]


def test_without_the_setting_there_is_no_log() -> None:
    """No timestamp in a leaf, and nothing to read."""
    with bench() as world:
        with pytest.raises(x509.ExtensionNotFound):
            world.issue().leaf.extensions.get_extension_for_class(x509.PrecertificateSignedCertificateTimestamps)
        assert world.get(f"{world.base}/ct/v1/get-sth").status == 404
