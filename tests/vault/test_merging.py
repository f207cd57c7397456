"""What a person brings from a CA becomes the version that its key has waited for, or changes nothing."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from certworker.crypto.extensions import SubjectNames
from certworker.crypto.x509 import build_csr, to_pem
from certworker.errors import BadParameter, Forbidden, KeyMismatch, LeaseLost, OperationNotFound
from certworker.vault.acceptance import WRONG_KEY
from certworker.vault.access import Caller
from certworker.vault.certificates import CertificateBundle
from certworker.vault.drafts import certificate_request
from certworker.vault.events import EventType
from certworker.vault.issuance import Rejected
from certworker.vault.objects import Tags
from certworker.vault.operations import Operation, OperationStatus
from certworker.vault.store import Store, Writer
from tests.crypto.authorities import ec_key
from tests.stories.test_crash import Killed, MortalStore
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, check_whole, open_deployment, policy_for
from tests.support.signing import Signer

DAY = timedelta(days=1)
SIGNER, STRANGER = Signer(), Signer("Strange")
MANUAL = policy_for("web.test", "Unknown")


def begin(deployment: Deployment, *, preserve_order: bool = False, tags: Tags | None = None) -> Operation:
    """Make a certificate signing request."""
    return deployment.house.certificates.create(
        deployment.administrator, deployment.vault, "web", MANUAL, tags=tags or {}, preserve_order=preserve_order
    )


def merge(deployment: Deployment, *contents: bytes, **wishes: object) -> CertificateBundle:
    """Merge, as the administrator."""
    merging = deployment.house.merging
    return merging.merge(deployment.administrator, deployment.vault, "WEB", contents, **wishes)  # type: ignore[arg-type]


def test_a_merge_completes_the_request(deployment: Deployment, clock: FakeClock) -> None:
    """Version, key and secret are there together, the operation is completed, the journal and the events tell it."""
    operation = begin(deployment, tags={"team": "web"})
    clock.advance(DAY)
    bundle = merge(deployment, SIGNER.sign(operation.csr), *SIGNER.chain)
    assert bundle == deployment.get("web")
    assert check_whole(deployment, "web") == bundle.version.version == operation.version
    assert bundle.version.chain == SIGNER.chain
    assert (bundle.version.tags, bundle.version.attributes.enabled) == ({"team": "web"}, True)
    done = deployment.operation("web")
    assert (done.status, done.warnings, done.status_details, done.updated) == (
        OperationStatus.COMPLETED,
        (),
        None,
        START + DAY,
    )
    with deployment.house.store.reading() as reader:
        assert [entry.step for entry in reader.journal(operation.id)] == ["key-made", "merged"]
        assert reader.tallies() == {("contoso", "Unknown", "issued"): 1}
    told = [event.type for event in deployment.events()]
    assert EventType.CERTIFICATE_NEW_VERSION in told
    assert deployment.renewal("web").due_at is None


def test_wishes_go_over_what_the_create_said(deployment: Deployment) -> None:
    """Attributes and tags of the merge are those of the version, its key and its secret."""
    operation = begin(deployment, tags={"team": "web"})
    bundle = merge(deployment, SIGNER.sign(operation.csr), *SIGNER.chain, enabled=False, tags={"order": "7"})
    assert (bundle.version.tags, bundle.version.attributes.enabled) == ({"order": "7"}, False)
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    assert house.keys.get(caller, vault, "web").tags == {"order": "7"}
    assert deployment.operation("web").tags == {"order": "7"}


def test_a_certificate_is_merged_again_and_again(deployment: Deployment) -> None:
    """Each request has a key of its own, and gives the next version."""
    for number in (1, 2):
        operation = begin(deployment)
        merge(deployment, SIGNER.sign(operation.csr), *SIGNER.chain)
        assert check_whole(deployment, "web") == operation.version
        assert len(deployment.versions("web")) == number


def pem(*certificates: bytes) -> bytes:
    """Write PEM."""
    return to_pem(certificates)


def pkcs7_file(encoding: Encoding) -> Callable[..., bytes]:
    """Write PKCS#7."""
    return lambda *ders: pkcs7.serialize_certificates([x509.load_der_x509_certificate(der) for der in ders], encoding)


FORMS: dict[str, Callable[..., bytes]] = {
    "pem": pem,
    "windows": lambda *ders: b"Bag Attributes\r\n" + pem(*ders).replace(b"\n", b"\r\n"),
    "byte order mark": lambda *ders: b"\xef\xbb\xbf" + pem(*ders),
    "base64 of pem": lambda *ders: base64.encodebytes(pem(*ders)),
    "pkcs7 der": pkcs7_file(Encoding.DER),
    "pkcs7 pem": pkcs7_file(Encoding.PEM),
    "pkcs7 windows": lambda *ders: pkcs7_file(Encoding.PEM)(*ders).replace(b"\n", b"\r\n"),
    "cms": lambda *ders: pkcs7_file(Encoding.PEM)(*ders).replace(b"PKCS7", b"CMS"),
    "base64 of pkcs7": lambda *ders: base64.b64encode(pkcs7_file(Encoding.DER)(*ders)),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read(deployment: Deployment, form: str) -> None:
    """One content with everything in it, in the forms in which CAs hand certificates out."""
    operation = begin(deployment)
    leaf = SIGNER.sign(operation.csr)
    assert merge(deployment, FORMS[form](SIGNER.root, leaf, SIGNER.intermediate)).version.chain == SIGNER.chain
    assert check_whole(deployment, "web")


def test_forms_may_be_mixed(deployment: Deployment) -> None:
    """DER, base64 of it, and PEM beside each other; what comes twice counts once."""
    operation = begin(deployment)
    leaf = SIGNER.sign(operation.csr)
    sent = (leaf, base64.b64encode(SIGNER.intermediate), pem(SIGNER.root, leaf))
    assert merge(deployment, *sent).version.chain == SIGNER.chain


@pytest.mark.parametrize("preserve", [False, True])
def test_the_leaf_may_be_anywhere(deployment: Deployment, *, preserve: bool) -> None:
    """The chain is put in order, or kept as it came with the leaf taken out."""
    for order in permutations(range(3)):
        operation = begin(deployment, preserve_order=preserve)
        all_three = (SIGNER.sign(operation.csr), *SIGNER.chain)
        sent = [all_three[place] for place in order]
        version = merge(deployment, *sent).version
        assert version.der == all_three[0]
        assert version.chain == (tuple(der for der in sent if der != all_three[0]) if preserve else SIGNER.chain)
        assert version.preserve_order is preserve


@pytest.mark.parametrize(
    ("send", "words"),
    [
        (lambda csr: (SIGNER.sign(csr),), "came without that of its issuer"),
        (lambda csr: (SIGNER.sign(csr, begin=START + DAY), *SIGNER.chain), "not valid before 2026-01-02"),
        (lambda csr: (SIGNER.sign(csr, subject="CN=other"), *SIGNER.chain), "subject is CN=other; asked was CN=web.test"),
        (
            lambda csr: (SIGNER.sign(csr, names=SubjectNames(("a.test",))), *SIGNER.chain),
            "lacks names that were asked for: web",
        ),
        (lambda csr: (SIGNER.sign(csr, names=SubjectNames(("web.test", "a.test"))), *SIGNER.chain), "nobody asked for: a.test"),
    ],
)
def test_what_is_not_as_asked_is_merged_with_a_warning(
    deployment: Deployment, send: Callable[[bytes], tuple[bytes, ...]], words: str
) -> None:
    """It becomes the version, as the service does it, and is told in the operation, in the event, and counted."""
    operation = begin(deployment)
    merge(deployment, *send(operation.csr))
    assert check_whole(deployment, "web") == operation.version
    done = deployment.operation("web")
    assert words in done.warnings[0]
    assert done.status_details == " ".join(done.warnings)
    (told,) = [event for event in deployment.events() if event.type is EventType.CERTIFICATE_NEW_VERSION]
    assert told.detail["warnings"] == done.status_details
    with deployment.house.store.reading() as reader:
        assert reader.tallies()["contoso", "Unknown", "warned"] == 1


OTHER_CSR = build_csr(ec_key(), certificate_request(MANUAL))


@pytest.mark.parametrize(
    ("send", "error", "words"),
    [
        (lambda _: (), BadParameter, "x5c is empty"),
        (lambda _: (b"",), BadParameter, r"x5c\[0\] cannot be merged. The content is empty"),
        (lambda csr: (SIGNER.sign(csr), b"0\x82junk"), BadParameter, r"x5c\[1\] cannot be merged. The content is neither"),
        (lambda csr: (SIGNER.sign(csr)[:-9],), BadParameter, "neither an X.509 certificate nor PKCS#7"),
        (lambda csr: (pem(SIGNER.sign(csr))[:-60],), BadParameter, "PEM text holds no certificate"),
        (lambda _: (b"-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n",), BadParameter, "PEM text holds no certificate"),
        (lambda csr: (csr,), BadParameter, "neither an X.509 certificate nor PKCS#7"),
        (lambda _: (SIGNER.sign(OTHER_CSR), *SIGNER.chain), KeyMismatch, WRONG_KEY),
        (lambda _: SIGNER.chain, KeyMismatch, WRONG_KEY),
        (lambda csr: (SIGNER.sign(csr), SIGNER.sign(csr)), BadParameter, "2 certificates with the pending key"),
        (lambda csr: (SIGNER.sign(csr, begin=START - 2 * DAY, end=START - DAY),), BadParameter, "expired at 2025-12-31"),
        (lambda csr: (SIGNER.sign(csr, authority=True), *SIGNER.chain), BadParameter, "one of an authority"),
        (lambda csr: (SIGNER.sign(csr), *SIGNER.chain, STRANGER.root), BadParameter, "not lead up .* CN=Strange root"),
        (lambda csr: (SIGNER.sign(csr), SIGNER.root), BadParameter, "not lead up .* CN=Paper root"),
        (
            lambda csr: (SIGNER.sign(csr), *(SIGNER.sign(OTHER_CSR) for _ in range(21))),
            BadParameter,
            "more than 21 certificates",
        ),
    ],
)
def test_what_cannot_be_merged_changes_nothing(
    deployment: Deployment, send: Callable[[bytes], tuple[bytes, ...]], error: type[BadParameter], words: str
) -> None:
    """Each has an error of its own; the operation waits as before, and the right certificate is merged after it."""
    operation = begin(deployment)
    events = deployment.events()
    with pytest.raises(error, match=words) as caught:
        merge(deployment, *send(operation.csr))
    assert type(caught.value) is error
    assert deployment.operation("web") == operation
    assert deployment.versions("web") == ()
    assert deployment.events() == events
    merge(deployment, SIGNER.sign(operation.csr), *SIGNER.chain)
    assert check_whole(deployment, "web") == operation.version


def test_too_many_tags_change_nothing(deployment: Deployment) -> None:
    """Tags have the limits that they have everywhere."""
    operation = begin(deployment)
    with pytest.raises(BadParameter, match="16 entries"):
        merge(deployment, SIGNER.sign(operation.csr), tags={str(number): "" for number in range(16)})
    assert deployment.operation("web") == operation


def test_a_merge_needs_the_permission_to_create(deployment: Deployment) -> None:
    """Nobody else merges."""
    operation = begin(deployment)
    nobody = Caller("nobody", "nobody", deployment.vault.tenant_id)
    with pytest.raises(Forbidden, match="certificates/create/action"):
        deployment.house.merging.merge(nobody, deployment.vault, "web", (SIGNER.sign(operation.csr),))


def test_where_nothing_is_pending_nothing_is_merged(deployment: Deployment) -> None:
    """No such certificate, one that is deleted, an operation that was forgotten, and another's id."""
    leaf = SIGNER.sign(OTHER_CSR)
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    with pytest.raises(OperationNotFound, match="Pending certificate not found: WEB"):
        merge(deployment, leaf)
    operation = begin(deployment)
    with pytest.raises(OperationNotFound):
        merge(deployment, SIGNER.sign(operation.csr), operation_id="another")
    merge(deployment, SIGNER.sign(operation.csr), *SIGNER.chain, operation_id=operation.id)
    house.certificates.delete(caller, vault, "web")
    with pytest.raises(OperationNotFound):
        merge(deployment, leaf)
    house.certificates.recover(caller, vault, "web")
    house.certificates.delete_operation(caller, vault, "web")
    with pytest.raises(OperationNotFound):
        merge(deployment, leaf)


def test_an_issuers_operation_is_not_merged(deployment: Deployment) -> None:
    """While the CA is asked, in Key Vault's words; and not after it failed either."""
    operation = deployment.create("web", policy_for("web.test"))
    leaf = SIGNER.sign(operation.csr)
    words = "Merge is forbidden on pending object created with issuer : test-ca while it is in progess."
    with pytest.raises(Forbidden, match=words):
        merge(deployment, leaf, *SIGNER.chain)
    assert deployment.operation("web") == operation
    deployment.authority.script.append(lambda *_: Rejected("Request rejected", "No."))
    deployment.work()
    with pytest.raises(Forbidden, match="Pending status must be in progress to allow merge; it is failed"):
        merge(deployment, leaf, *SIGNER.chain)


def test_a_second_merge_is_refused(deployment: Deployment) -> None:
    """What is completed stays as it is."""
    operation = begin(deployment)
    leaf = SIGNER.sign(operation.csr)
    merge(deployment, leaf, *SIGNER.chain)
    with pytest.raises(Forbidden, match="it is completed"):
        merge(deployment, leaf, *SIGNER.chain)
    assert deployment.versions("web") == (operation.version,)


def test_a_request_whose_cancellation_was_asked_for_is_not_merged(deployment: Deployment) -> None:
    """Neither before the worker has carried it out, nor after it."""
    operation = begin(deployment)
    leaf = SIGNER.sign(operation.csr)
    deployment.house.certificates.request_cancellation(deployment.administrator, deployment.vault, "web")
    with pytest.raises(Forbidden, match="cancellation was requested"):
        merge(deployment, leaf, *SIGNER.chain)
    deployment.work()
    with pytest.raises(Forbidden, match="it is cancelled"):
        merge(deployment, leaf, *SIGNER.chain)


class InterruptedStore(MortalStore):
    """A store in which somebody else is always faster: `interrupt` goes before each transaction that changes something."""

    def __init__(self, store: Store, interrupt: Callable[[Store], None]) -> None:
        super().__init__(store, dies_at=1000, committed=True)
        self._interrupt = interrupt

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Open a transaction, after the other's."""
        self._interrupt(self._store)
        with super().writing() as writer:
            yield writer


def claim(store: Store) -> None:
    """Claim the operation, as a worker would if it were due."""
    with store.writing() as writer:
        assert writer.claim_operation("another", START, DAY)


def cancel(store: Store) -> None:
    """Ask for its cancellation."""
    with store.writing() as writer:
        vault = writer.vault_by_name("contoso")
        assert vault is not None
        operation = writer.operation(vault.id, "web")
        assert operation is not None
        writer.request_cancellation(operation.id, START)


@pytest.mark.parametrize(("meanwhile", "error"), [(claim, LeaseLost), (cancel, Forbidden)])
def test_what_changed_meanwhile_is_not_overwritten(
    tmp_path: Path, clock: FakeClock, meanwhile: Callable[[Store], None], error: type[Exception]
) -> None:
    """The operation is looked at again in the transaction that would complete it."""
    with open_deployment(tmp_path, clock) as deployment:
        operation = begin(deployment)
        with deployment.house.store.writing() as writer:
            writer.update_operation(replace(operation, due_at=START))
    with open_deployment(tmp_path, clock, wrap=lambda store: InterruptedStore(store, meanwhile)) as deployment:
        with pytest.raises(error):
            merge(deployment, SIGNER.sign(operation.csr), *SIGNER.chain)
        assert deployment.versions("web") == ()


@pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "after the commit"])
def test_a_death_during_a_merge(tmp_path: Path, clock: FakeClock, *, committed: bool) -> None:
    """Before the commit all is as it was and the merge can be sent again; after it the version is whole."""
    with open_deployment(tmp_path, clock) as deployment:
        operation = begin(deployment)
    sent = (SIGNER.sign(operation.csr), *SIGNER.chain)
    with (
        open_deployment(tmp_path, clock, wrap=lambda store: MortalStore(store, 1, committed=committed)) as mortal,
        pytest.raises(Killed),
    ):
        merge(mortal, *sent)
    with open_deployment(tmp_path, clock) as deployment:
        if committed:
            with pytest.raises(Forbidden, match="it is completed"):
                merge(deployment, *sent)
        else:
            assert deployment.operation("web") == operation
            merge(deployment, *sent)
        assert check_whole(deployment, "web") == operation.version
        assert deployment.operation("web").status is OperationStatus.COMPLETED
        with deployment.house.store.reading() as reader:
            assert reader.tallies() == {("contoso", "Unknown", "issued"): 1}
