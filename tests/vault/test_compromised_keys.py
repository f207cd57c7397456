"""A key that is known to others is never used again, by whichever road it comes."""

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_der_private_key

from certworker.crypto.keys import generate_key, public_der
from certworker.errors import BadParameter
from certworker.vault.events import EventType
from certworker.vault.issuance import Rejected
from certworker.vault.key_creation import ArrivingKey
from certworker.vault.operations import OperationStatus
from certworker.vault.policy import KeyProperties
from certworker.vault.revocation.compromised import CompromisedKey, digest_of
from certworker.vault.revocation.consequences import Consequences
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, open_deployment, policy_for
from tests.support.signing import Signer

REUSED = KeyProperties("EC", None, "P-256", reuse_key=True)


@pytest.fixture
def deployment(tmp_path: Path, clock: FakeClock) -> Iterator[Deployment]:
    """Set up a house with a worker."""
    with open_deployment(tmp_path, clock) as opened:
        yield opened


def compromise(deployment: Deployment, public_key: bytes) -> None:
    """Put a key among those that are compromised."""
    with deployment.house.store.writing() as writer:
        writer.add_compromised_key(CompromisedKey(digest_of(public_key), START, deployment.vault.id, "web", "a version"))


def test_a_key_that_is_brought_is_refused(deployment: Deployment) -> None:
    """An import of the key by itself; nothing of it is kept."""
    private = generate_key("EC", None, "P-256")
    compromise(deployment, public_der(private))
    numbers = load_der_private_key(private, None).private_numbers()  # type: ignore[union-attr]
    public = numbers.public_numbers
    members = {"x": public.x, "y": public.y, "d": numbers.private_value}  # type: ignore[union-attr]
    encoded = {name: urlsafe_b64encode(value.to_bytes(32, "big")).rstrip(b"=").decode() for name, value in members.items()}
    arriving = ArrivingKey("EC", {"crv": "P-256", **encoded})
    with pytest.raises(BadParameter, match="never used again: make a new one"):
        deployment.house.key_life.creation.import_(deployment.administrator, deployment.vault, "web", arriving)
    with deployment.house.store.reading() as reader:
        assert reader.key(deployment.vault.id, "web", None) is None


def test_a_request_with_such_a_key_is_not_merged(deployment: Deployment) -> None:
    """However rightly it was signed meanwhile."""
    pending, signer = deployment.create("manual", policy_for("manual.test", "Unknown")), Signer()
    compromise(deployment, pending.public_key)
    signed = (signer.sign(pending.csr), *signer.chain)
    with pytest.raises(BadParameter, match="never used again"):
        deployment.house.merging.merge(deployment.administrator, deployment.vault, "manual", signed)
    assert deployment.operation("manual") == pending


def test_what_is_in_progress_with_the_key_ends(deployment: Deployment) -> None:
    """A worker does not go on with it, and its owner hears of it."""
    deployment.create("web", policy_for("web.test", key=REUSED))
    deployment.work()
    deployment.authority.script.append(lambda _, progress, at: _wait(progress, at))
    deployment.house.requested.renew_now(deployment.administrator, deployment.vault, "web")
    with deployment.house.store.writing() as writer:
        version = writer.certificate_version(deployment.vault.id, "web", None)
        assert version is not None
        Consequences(deployment.house.lifecycle.planner).compromised(writer, version, deployment.house.clock())
    assert deployment.operation("web").status is OperationStatus.CANCELLED
    assert EventType.OPERATION_CANCELLED in [event.type for event in deployment.events()]
    deployment.authority.script.clear()
    deployment.house.clock.advance(timedelta(minutes=1))  # type: ignore[attr-defined]
    deployment.work()
    renewed = deployment.operation("web")
    assert renewed.status is OperationStatus.COMPLETED
    assert renewed.public_key != public_key_of(deployment, version.version)


def _wait(progress: object, at: object) -> Rejected:
    raise AssertionError(f"nobody is to be asked: {progress} {at}")


def public_key_of(deployment: Deployment, version: str) -> bytes:
    """Give the public key of a version."""
    with deployment.house.store.reading() as reader:
        key = reader.key(deployment.vault.id, "web", version)
    assert key is not None
    return key.public_key
