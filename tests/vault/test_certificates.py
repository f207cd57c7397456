"""Certificates are made, shown, listed and planned."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from threading import Barrier, Thread

import pytest

from certworker.clock import Clock
from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import public_der
from certworker.crypto.x509 import read_certificate
from certworker.errors import (
    BadParameter,
    CertificateNotFound,
    CertworkerError,
    Conflict,
    Disabled,
    IssuerNotFound,
    OperationInProgress,
    SecretNotFound,
)
from certworker.vault.access import SERVICE
from certworker.vault.drafts import WAITS_FOR_ISSUER, WAITS_FOR_MERGE
from certworker.vault.events import EventType
from certworker.vault.lifetime import BACK_DATE
from certworker.vault.objects import ObjectKind
from certworker.vault.operations import OperationReason, OperationStatus
from certworker.vault.policy import PEM, ActionType, IssuerParameters, KeyProperties, LifetimeAction, Policy, X509Properties
from tests.support.clock import START, FakeClock
from tests.support.deployment import ISSUER, Deployment, check_whole, policy_for
from tests.support.records import a_head

NEW_VERSION = (EventType.CERTIFICATE_NEW_VERSION, EventType.KEY_NEW_VERSION, EventType.SECRET_NEW_VERSION)


def test_a_self_signed_certificate_is_complete_at_once(deployment: Deployment) -> None:
    """Key, secret and certificate are there when create returns, and the renewal is planned."""
    operation = deployment.create("web", policy_for("web.test", "Self", content_type=PEM))
    assert (operation.status, operation.due_at) == (OperationStatus.COMPLETED, None)
    version = check_whole(deployment, "web")
    assert operation.version == version
    facts = read_certificate(deployment.get("web").version.der)
    assert (facts.not_before, facts.not_after) == (START - BACK_DATE, START.replace(year=2027))
    assert deployment.get("web").version.attributes.expires == facts.not_after
    assert deployment.renewal("web").due_at is not None
    assert deployment.get("web").certificate.policy.lifetime_actions[0].lifetime_percentage == 80
    assert tuple(event.type for event in deployment.events()) == NEW_VERSION


def test_a_certificate_of_an_issuer_waits_for_the_worker(deployment: Deployment) -> None:
    """Until then it is pending and has no version; then all three have it, and the event tells the issuer."""
    operation = deployment.create("web", policy_for("web.test"))
    assert (operation.status, operation.status_details, operation.due_at) == ("inProgress", WAITS_FOR_ISSUER, START)
    with pytest.raises(CertificateNotFound):
        deployment.get("web")
    assert deployment.versions("web") == ()
    deployment.work()
    assert check_whole(deployment, "web") == operation.version
    assert deployment.operation("web").status is OperationStatus.COMPLETED
    assert deployment.get("web").version.chain == (deployment.authority.root,)
    told = [event for event in deployment.events() if event.type is EventType.CERTIFICATE_NEW_VERSION]
    assert told[0].detail["issuer"] == "test-ca"


def test_a_manual_one_waits_for_its_owner(deployment: Deployment) -> None:
    """Nobody works on it, and its CSR is there to be signed."""
    operation = deployment.create("web", policy_for("web.test", "Unknown"))
    assert (operation.status_details, operation.due_at) == (WAITS_FOR_MERGE, None)
    assert deployment.issue() is None
    assert deployment.operation("web").status is OperationStatus.IN_PROGRESS
    assert deployment.operation("web").csr == operation.csr


def test_a_second_version_follows_the_first(deployment: Deployment, clock: FakeClock) -> None:
    """The newer is current, the older stays, and a certificate of its own policy needs none."""
    first = deployment.create("web", policy_for("web.test", "Self")).version
    clock.advance(timedelta(days=1))
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    second = house.certificates.create(caller, vault, "web", None, tags={"n": "2"}).version
    assert sorted(deployment.versions("web")) == sorted((first, second))
    assert deployment.get("web").version.version == second
    assert house.certificates.get(caller, vault, "web", first).version.version == first
    assert {item.version for item in house.secrets.versions(caller, vault, "web", None, 25).items} == {first, second}
    assert {item.version for item in house.keys.versions(caller, vault, "web", None, 25).items} == {first, second}
    keys = {house.keys.get(caller, vault, "web", version).public_key for version in (first, second)}
    assert len(keys) == 2
    assert house.secrets.get(caller, vault, "web").secret.tags == {"n": "2"}


def test_a_key_is_used_again_where_the_policy_says_so(deployment: Deployment) -> None:
    """With `reuse_key` the next version has the same key; of another kind it cannot be the same."""
    policy = policy_for("web.test", "Self", key=KeyProperties("EC", None, "P-256", reuse_key=True))
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    keys = []
    for _ in range(2):
        deployment.create("web", policy)
        keys.append(house.keys.get(caller, vault, "web").public_key)
    assert keys[0] == keys[1]
    for changed in (
        KeyProperties("EC", None, "P-384", reuse_key=True),
        KeyProperties("RSA", 2048, None, reuse_key=True),
        KeyProperties("RSA", 3072, None, reuse_key=True),
    ):
        deployment.create("web", replace(policy, key=changed))
        keys.append(house.keys.get(caller, vault, "web").public_key)
    assert len(set(keys)) == len(keys) - 1
    private = house.materials.private(deployment.operation("web"))
    assert public_der(private) == keys[-1]


def test_names_ignore_case(deployment: Deployment) -> None:
    """The name keeps the case in which it was made, and is found in any."""
    deployment.create("Web", policy_for("web.test", "Self"))
    deployment.create("WEB", policy_for("web.test", "Self"))
    assert len(deployment.versions("web")) == 2
    assert deployment.get("wEB").head.name == "Web"
    assert check_whole(deployment, "WEB")
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    assert [item.head.name for item in house.certificates.list_(caller, vault, None, 25).items] == ["Web"]
    assert {found.name for found in house.certificates.versions(caller, vault, "WEB", None, 25).items} == {"Web"}


def test_what_is_not_exportable_stays(deployment: Deployment) -> None:
    """The secret of a certificate whose key is not exportable has the certificates only."""
    key = KeyProperties("EC", None, "P-256", exportable=False)
    deployment.create("web", policy_for("web.test", "Self", key=key, content_type=PEM))
    opened = deployment.house.secrets.get(deployment.administrator, deployment.vault, "web")
    assert "PRIVATE" not in opened.value
    assert "BEGIN CERTIFICATE" in opened.value


@pytest.mark.parametrize(
    ("name", "policy", "tags", "error"),
    [
        ("a_b", policy_for("web.test", "Self"), {}, BadParameter),
        ("web", policy_for("web.test", "Self"), {"": "x"}, BadParameter),
        ("web", None, {}, BadParameter),
        ("web", Policy(), {}, BadParameter),
        ("web", policy_for("web.test", "nobody"), {}, IssuerNotFound),
        ("web", Policy(x509=X509Properties(names=SubjectNames(dns_names=("a b",)))), {}, BadParameter),
    ],
)
def test_what_cannot_work_leaves_nothing_behind(
    deployment: Deployment, name: str, policy: Policy | None, tags: dict[str, str], error: type[CertworkerError]
) -> None:
    """A refused certificate has no head, no operation and no event."""
    with pytest.raises(error):
        deployment.house.certificates.create(deployment.administrator, deployment.vault, name, policy, tags=tags)
    assert deployment.house.fleet.entries() == ()
    assert deployment.events() == ()


def test_an_operation_in_the_way_is_named(deployment: Deployment) -> None:
    """One at a time, and the error says which."""
    first = deployment.create("web", policy_for("web.test"))
    with pytest.raises(OperationInProgress, match=first.id) as refusal:
        deployment.create("WEB", policy_for("web.test", "Self"))
    assert refusal.value.operation_id == first.id


def test_a_name_that_somebodys_own_secret_has_is_taken(deployment: Deployment) -> None:
    """What is not part of a certificate is not overwritten."""
    with deployment.house.store.writing() as writer:
        writer.put_head(replace(a_head(ObjectKind.SECRET, "web", None), vault_id=deployment.vault.id))
    with pytest.raises(Conflict, match="secret named web already exists"):
        deployment.create("Web", policy_for("web.test", "Self"))


def test_of_two_at_once_exactly_one_wins(deployment: Deployment) -> None:
    """Two threads ask for the same name at the same moment."""
    begin, outcomes = Barrier(2), []

    def ask() -> None:
        begin.wait()
        try:
            outcomes.append(deployment.create("web", policy_for("web.test")).id)
        except OperationInProgress:
            outcomes.append("refused")

    threads = [Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("refused") == 1
    deployment.work()
    assert len(deployment.versions("web")) == 1
    assert deployment.operation("web").id in outcomes


def test_a_disabled_one_is_neither_served_nor_renewed(deployment: Deployment, clock: FakeClock) -> None:
    """Its secret is refused, its certificate can still be read, and no renewal begins."""
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    house.certificates.create(caller, vault, "web", policy_for("web.test", "Self"), tags={}, enabled=False)
    with pytest.raises(Disabled):
        house.secrets.get(caller, vault, "web")
    assert not deployment.get("web").version.attributes.enabled
    clock.advance(timedelta(days=360))
    assert deployment.issue() is None
    assert len(deployment.versions("web")) == 1


def pages(deployment: Deployment, limit: int, *, include_pending: bool) -> Iterator[list[str]]:
    """Walk through the list of certificates."""
    after: str | None = None
    while True:
        page = deployment.house.certificates.list_(
            deployment.administrator, deployment.vault, after, limit, include_pending=include_pending
        )
        yield [item.head.name for item in page.items]
        if (after := page.next) is None:
            return


def test_lists_go_by_name_and_tell_pending_ones_when_asked(deployment: Deployment) -> None:
    """Pages of any size show each once; those without a version only where asked for."""
    for name in ("b", "A", "d"):
        deployment.create(name, policy_for("web.test", "Self"))
    deployment.create("C", policy_for("web.test"))
    for limit in (1, 2, 25):
        assert list(chain(*pages(deployment, limit, include_pending=False))) == ["A", "b", "d"]
        assert list(chain(*pages(deployment, limit, include_pending=True))) == ["A", "b", "C", "d"]


def test_what_is_not_there_is_told(deployment: Deployment) -> None:
    """Certificates, secrets and versions that nobody made."""
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    deployment.create("web", policy_for("web.test", "Self"))
    for name, version in (("other", None), ("web", "0" * 32)):
        with pytest.raises(CertificateNotFound, match=name):
            house.certificates.get(caller, vault, name, version)
        with pytest.raises(SecretNotFound):
            house.secrets.get(caller, vault, name, version)
    assert house.certificates.versions(caller, vault, "other", None, 25).items == ()
    with pytest.raises(CertificateNotFound):
        house.certificates.update_policy(caller, vault, "other", lambda known: known)


def test_a_new_policy_plans_the_renewal_anew(deployment: Deployment, clock: FakeClock) -> None:
    """The point moves with the lifetime action, and goes away with mail; the jitter stays as it was drawn."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    before = deployment.renewal("web")
    early = LifetimeAction(ActionType.AUTO_RENEW, lifetime_percentage=10)
    policy = policy_for("web.test", lifetime_actions=(early,), lifetime_actions_set=True)
    clock.advance(timedelta(hours=1))
    changed = house.certificates.update_policy(caller, vault, "web", lambda _: policy)
    assert (changed.policy_created, changed.policy_updated) == (START, clock())
    after = deployment.renewal("web")
    assert before.due_at is not None
    assert after.due_at is not None
    assert after.due_at < START + timedelta(days=12) < before.due_at
    assert (after.reason, after.jitter) == (OperationReason.LIFETIME_ACTION, before.jitter)
    mail = replace(policy, lifetime_actions=(LifetimeAction(ActionType.EMAIL_CONTACTS, 80),))
    assert house.certificates.update_policy(caller, vault, "web", lambda _: mail).renewal.due_at is None
    with pytest.raises(BadParameter):
        house.certificates.update_policy(caller, vault, "web", lambda known: replace(known, content_type="text/plain"))


def test_the_service_may_ask_as_well(deployment: Deployment, clock: Clock) -> None:
    """The worker acts on its own behalf."""
    deployment.house.certificates.create(SERVICE, deployment.vault, "web", policy_for("web.test", "Self"), tags={})
    assert deployment.get("web").head.created == clock()


@pytest.mark.parametrize("name", ["contacts", "Issuers", "RESTORE"])
def test_a_name_that_the_api_takes_is_refused(deployment: Deployment, name: str) -> None:
    """A certificate of such a name could be made, and never read."""
    with pytest.raises(BadParameter, match="taken by a path of the API"):
        deployment.create(name, policy_for("web.test", "Self"))


def test_a_policy_names_an_issuer_that_there_is(deployment: Deployment) -> None:
    """A new one must exist; one that was deleted meanwhile does not keep the rest from being changed."""
    deployment.create("web", policy_for("web.test", "Self"))
    certificates, caller, vault = deployment.house.certificates, deployment.administrator, deployment.vault
    with pytest.raises(IssuerNotFound, match="nobody"):
        certificates.update_policy(caller, vault, "web", lambda policy: replace(policy, issuer=IssuerParameters("nobody")))
    certificates.update_policy(caller, vault, "web", lambda policy: replace(policy, issuer=IssuerParameters(ISSUER)))
    deployment.house.issuers.delete(caller, vault, ISSUER)
    changed = certificates.update_policy(caller, vault, "web", lambda policy: replace(policy, content_type=PEM))
    assert changed.policy.content_type == PEM
