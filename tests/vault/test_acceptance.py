"""What came from a CA is looked at before it becomes a version: what is refused, what is warned about, what is kept."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import generate_key, public_der
from certworker.crypto.received import read_certificates
from certworker.crypto.x509 import build_csr
from certworker.errors import BadParameter, KeyMismatch, OperationNotFound
from certworker.vault.acceptance import CLOCK_SKEW, Accepted, accept
from certworker.vault.drafts import certificate_request
from certworker.vault.events import EventType
from certworker.vault.issuance import IssuanceRequest, Issued
from certworker.vault.operations import Operation, OperationStatus, Progress
from certworker.vault.policy import SERVER_AUTH, Policy
from certworker.vault.refusals import MAX_EVIDENCE
from tests.support.clock import START, FakeClock
from tests.support.deployment import ISSUER, Deployment, policy_for
from tests.support.records import an_operation
from tests.support.signing import CLIENT_AUTH, Signer, with_network

DAY = timedelta(days=1)
KEY = generate_key("EC", None, "P-256")
SIGNER, STRANGER = Signer(), Signer("Strange")
Sign = dict[str, Any]


def asked(policy: Policy, **changes: Any) -> Operation:  # noqa: ANN401
    """Make the operation of a request by a policy."""
    csr = build_csr(KEY, certificate_request(policy))
    return an_operation(policy=policy, csr=csr, public_key=public_der(KEY), **changes)


def from_ca(**changes: Any) -> Operation:  # noqa: ANN401
    """Make an operation that a CA was asked for."""
    return asked(policy_for("web.test"), **changes)


def by_hand(**changes: Any) -> Operation:  # noqa: ANN401
    """Make an operation that a person carries to a CA."""
    return asked(policy_for("web.test", "Unknown"), **changes)


def judge(operation: Operation, **sign: Any) -> Accepted:  # noqa: ANN401
    """Look at a leaf that was signed so, with its chain."""
    return accept(operation, (SIGNER.sign(operation.csr, **sign), *SIGNER.chain), START)


@pytest.mark.parametrize("operation", [from_ca(), by_hand()], ids=["ca", "hand"])
def test_what_was_asked_for_is_taken_without_a_word(operation: Operation) -> None:
    """Leaf and chain are kept in order, and there is nothing to tell."""
    leaf = SIGNER.sign(operation.csr)
    assert accept(operation, (leaf, SIGNER.root, SIGNER.intermediate), START) == Accepted((leaf, *SIGNER.chain), ())


@pytest.mark.parametrize(
    ("sign", "words"),
    [
        ({"authority": True}, "one of an authority"),
        ({"begin": START - 2 * DAY, "end": START}, "expired at 2026-01-01T00:00:00Z"),
    ],
)
@pytest.mark.parametrize("operation", [from_ca(), by_hand()], ids=["ca", "hand"])
def test_what_could_never_work_is_refused_on_every_road(operation: Operation, sign: Sign, words: str) -> None:
    """An authority's certificate, and one that has expired."""
    with pytest.raises(BadParameter, match=words):
        judge(operation, **sign)


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (from_ca(), "The certificate is for another key"),
        (by_hand(), "does not match the public part of the specified private key"),
    ],
)
def test_another_key_is_refused_on_every_road(operation: Operation, words: str) -> None:
    """A certificate that was made for another key; who merges one is told in Key Vault's words."""
    other = build_csr(generate_key("EC", None, "P-256"), certificate_request(operation.policy))
    with pytest.raises(KeyMismatch, match=words):
        accept(operation, (SIGNER.sign(other), *SIGNER.chain), START)


@pytest.mark.parametrize(
    ("sign", "words"),
    [
        ({"begin": START + CLOCK_SKEW + timedelta(seconds=1)}, "not valid before 2026-01-01T00:10:01Z"),
        ({"names": SubjectNames(dns_names=("other.test",))}, "lacks names that were asked for: web.test"),
        ({"ekus": (CLIENT_AUTH,)}, "not for TLS servers"),
    ],
)
def test_a_ca_has_to_deliver_what_was_asked(sign: Sign, words: str) -> None:
    """Refused where a CA was asked by the worker; told where a person merges it."""
    with pytest.raises(BadParameter, match=words):
        judge(from_ca(), **sign)
    assert words in judge(by_hand(), **sign).warnings[0]


@pytest.mark.parametrize(
    ("sign", "words"),
    [
        ({"begin": START + CLOCK_SKEW}, "The certificate is not valid before 2026-01-01T00:10:00Z."),
        (
            {"names": SubjectNames(dns_names=("web.test", "a.test", "b.test", "c.test"), ip_addresses=("192.0.2.1",))},
            "The certificate has names that nobody asked for: a.test, b.test, c.test and 1 more.",
        ),
        ({"end": START + 90 * DAY}, "Asked for 12 months, got 90 days."),
        ({"end": START + timedelta(hours=30)}, "Asked for 12 months, got 30 hours."),
        ({"end": START + timedelta(minutes=4)}, "Asked for 12 months, got 4 minutes."),
        ({"ekus": (SERVER_AUTH,)}, f"The certificate lacks extended key usages that were asked for: {CLIENT_AUTH}."),
        ({"key_usage": ("keyAgreement",)}, "The certificate's key usage is keyAgreement; asked was digitalSignature."),
    ],
)
@pytest.mark.parametrize("operation", [from_ca(), by_hand()], ids=["ca", "hand"])
def test_what_is_not_quite_as_asked_is_told(operation: Operation, sign: Sign, words: str) -> None:
    """One warning for each thing, on every road."""
    assert judge(operation, **sign).warnings == (words,)


def test_no_extended_key_usage_allows_all() -> None:
    """So does the one that says so (RFC 5280 section 4.2.1.12)."""
    for ekus in ((), ("2.5.29.37.0",)):
        assert judge(from_ca(), ekus=ekus).warnings == ()


def test_a_person_is_told_of_another_subject() -> None:
    """A CA that the worker asks goes by rules of its own, and a console shows no character that turns its text round."""
    sign = {"subject": "CN=web.test,O=\u202eosotnoC"}
    assert judge(from_ca(), **sign).warnings == ()
    (warning,) = judge(by_hand(), **sign).warnings
    assert warning == "The certificate's subject is CN=web.test,O= osotnoC; asked was CN=web.test."


def test_names_are_compared_as_what_they_are() -> None:
    """Case and the many ways to write an address do not count; a common name among the alternative names was asked for."""
    names = SubjectNames(dns_names=("Api.Test",), ip_addresses=("2001:DB8:0::1",), emails=("Ada@Web.Test",))
    policy = policy_for("web.test")
    operation = asked(replace(policy, x509=replace(policy.x509, names=names)))
    given = SubjectNames(dns_names=("web.test", "api.test"), ip_addresses=("2001:db8::1",), emails=("ada@web.test",))
    assert judge(operation, names=given).warnings == ()
    assert "ada@web.test" in judge(operation, names=replace(given, emails=())).warnings[0]
    with pytest.raises(BadParameter, match="2001:db8::1"):
        judge(operation, names=replace(given, ip_addresses=()))


def test_a_network_among_the_names_is_only_a_name() -> None:
    """What no leaf should hold is told like any other name."""
    operation = from_ca()
    leaf = with_network(operation.csr, SIGNER)
    assert accept(operation, (leaf, *SIGNER.chain), START).warnings == (
        "The certificate has names that nobody asked for: 192.0.2.0/24.",
    )


def test_a_missing_chain_is_told() -> None:
    """A leaf alone is taken, on every road."""
    for operation in (from_ca(), by_hand()):
        leaf = SIGNER.sign(operation.csr)
        accepted = accept(operation, (leaf,), START)
        assert accepted.certificates == (leaf,)
        assert accepted.warnings == (
            "The certificate came without that of its issuer, CN=Paper issuing CA: the chain is missing.",
        )


@pytest.mark.parametrize("preserve", [False, True])
def test_strange_certificates_are_dropped_or_refused(*, preserve: bool) -> None:
    """A CA's are left out with a word; a person is asked to leave them out."""
    text = "Certificates that do not lead up from the leaf came with it: CN=Strange root"
    sent = (STRANGER.root, SIGNER.intermediate, STRANGER.root, SIGNER.root)
    operation = from_ca(preserve_order=preserve)
    leaf = SIGNER.sign(operation.csr)
    assert accept(operation, (leaf, *sent), START) == Accepted((leaf, *SIGNER.chain), (f"{text}. They are left out.",))
    operation = by_hand(preserve_order=preserve)
    with pytest.raises(BadParameter, match=text):
        accept(operation, (SIGNER.sign(operation.csr), *sent), START)


def test_nothing_and_nonsense_are_refused() -> None:
    """An empty answer, and one that is no certificate."""
    for sent in ((), (b"nonsense",), (SIGNER.sign(from_ca().csr), b"nonsense")):
        with pytest.raises(BadParameter):
            accept(from_ca(), sent, START)


@given(st.permutations([*SIGNER.chain, *SIGNER.chain]), st.booleans())
def test_a_chain_in_any_order(sent: list[bytes], preserve: bool) -> None:  # noqa: FBT001
    """It is put in order, or kept as it came; what came twice is kept once."""
    operation = from_ca(preserve_order=preserve)
    leaf = SIGNER.sign(operation.csr)
    kept = accept(operation, (leaf, *sent), START).certificates
    assert kept == (leaf, *(dict.fromkeys(sent) if preserve else SIGNER.chain))


Answer = Callable[[IssuanceRequest, Progress | None, datetime], Issued]


def answering(*certificates: bytes, **sign: Any) -> Answer:  # noqa: ANN401
    """Answer with a leaf that is signed so, and these certificates."""
    return lambda request, _, __: Issued((SIGNER.sign(request.csr, **sign), *certificates))


def test_what_is_refused_never_becomes_a_version(deployment: Deployment) -> None:
    """The operation fails and says why, an event tells it, and the certificates are kept."""
    deployment.authority.script.append(answering(*SIGNER.chain, ekus=(CLIENT_AUTH,)))
    operation = deployment.create("web", policy_for("web.test"))
    deployment.work()
    failed = deployment.operation("web")
    assert (failed.status, failed.error_code) == (OperationStatus.FAILED, "Certificate issuer error")
    assert (failed.error_message or "").startswith("What the issuer sent is refused. The certificate is not for TLS servers")
    assert deployment.versions("web") == ()
    (told,) = [event for event in deployment.events() if event.type is EventType.OPERATION_FAILED]
    assert told.detail["error"] == failed.error_message
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    (refusal,) = house.refusals.list_(caller, vault, "WEB")
    assert (refusal.at, refusal.kind) == (START, "certificates")
    assert read_certificates(refusal.content)[1:] == SIGNER.chain
    with house.store.reading() as reader:
        (evidence,) = reader.evidence(operation.id)
    assert b"CERTIFICATE" not in evidence.sealed
    with pytest.raises(OperationNotFound):
        house.refusals.list_(caller, vault, "nobody")


def test_a_renewal_that_is_refused_is_put_off(deployment: Deployment, clock: FakeClock) -> None:
    """The version that there is stays, and the next attempt follows."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    deployment.authority.script.append(answering(authority=True))
    clock.set(deployment.renewal("web").due_at or clock())
    deployment.work()
    assert len(deployment.versions("web")) == 1
    assert (deployment.renewal("web").failures, "authority" in (deployment.renewal("web").last_error or "")) == (1, True)
    clock.set(deployment.renewal("web").due_at or clock())
    deployment.work()
    assert len(deployment.versions("web")) == 2


def test_evidence_holds_no_private_key(deployment: Deployment) -> None:
    """Of what is no certificate only its size and its hash are kept, and never more than the cap."""
    deployment.authority.script.append(lambda *_: Issued((KEY, *SIGNER.chain * 200)))
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    (refusal,) = deployment.house.refusals.list_(deployment.administrator, deployment.vault, "web")
    assert refusal.content.startswith(f"no certificate: {len(KEY)} bytes, SHA-256 ".encode())
    assert b"-----BEGIN CERTIFICATE-----" in refusal.content
    assert b"PRIVATE" not in refusal.content
    assert len(refusal.content) == MAX_EVIDENCE


def test_warnings_are_told_with_the_version(deployment: Deployment) -> None:
    """In the operation, in its details, and in the event of the new version."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    operation = deployment.operation("web")
    assert operation.status is OperationStatus.COMPLETED
    assert operation.warnings == ("Asked for 12 months, got 90 days.",)
    assert operation.status_details == operation.warnings[0]
    told = {event.type: event.detail.get("warnings") for event in deployment.events() if event.version}
    assert told == {
        EventType.CERTIFICATE_NEW_VERSION: operation.warnings[0],
        EventType.KEY_NEW_VERSION: None,
        EventType.SECRET_NEW_VERSION: None,
    }
    with deployment.house.store.reading() as reader:
        assert reader.tallies() == {("contoso", ISSUER, "issued"): 1, ("contoso", ISSUER, "warned"): 1}


def test_the_order_of_a_chain_is_kept_by_renewals(deployment: Deployment, clock: FakeClock) -> None:
    """The chain stays as the CA sent it, in the first version and in those that follow."""
    sent = (SIGNER.root, SIGNER.intermediate)
    deployment.authority.script.extend([answering(*sent), answering(*sent, end=START + 400 * DAY, begin=START)])
    deployment.house.certificates.create(
        deployment.administrator, deployment.vault, "web", policy_for("web.test"), tags={}, preserve_order=True
    )
    deployment.work()
    clock.set(deployment.renewal("web").due_at or clock())
    deployment.work()
    assert len(deployment.versions("web")) == 2
    for version in deployment.versions("web"):
        found = deployment.house.certificates.get(deployment.administrator, deployment.vault, "web", version).version
        assert (found.chain, found.preserve_order) == (sent, True)
    assert deployment.operation("web").preserve_order
