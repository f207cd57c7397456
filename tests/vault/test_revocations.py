"""A certificate is revoked by whoever issued it, and an account gets another key: what is asked, and what comes of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from certworker.errors import (
    BadParameter,
    CertificateNotFound,
    CertworkerError,
    Conflict,
    Forbidden,
    IssuerNotFound,
    Unavailable,
)
from certworker.vault.access import SERVICE, Caller
from certworker.vault.events import EventType
from certworker.vault.imports import Arrival
from certworker.vault.issuance import Account, IssuanceRequest, Issued, KeyRoll, Revocation, Step
from certworker.vault.issuers import Accounts, IssuerParameters
from certworker.vault.operations import OperationReason, Progress
from certworker.vault.policy import IssuerParameters as PolicyIssuer
from certworker.vault.policy import Policy
from certworker.vault.revocations import RevokedVersion
from tests.support.clock import START, FakeClock
from tests.support.deployment import ISSUER, Deployment, policy_for
from tests.support.parcels import a_parcel

MINUTE = timedelta(minutes=1)
STRANGER = Caller("nobody", "nobody", "nowhere")


def revoke(deployment: Deployment, name: str = "web", version: str | None = None, reason: str | int = 4) -> RevokedVersion:
    """Ask for a revocation, as the administrator."""
    revocations = deployment.house.dealings.revocations
    return revocations.revoke(deployment.administrator, deployment.vault, name, version, reason)


def issue(deployment: Deployment, name: str = "web", issuer: str = ISSUER) -> str:
    """Get a certificate, and give its version."""
    deployment.create(name, policy_for("web.test", issuer))
    deployment.work()
    return deployment.get(name).version.version


def set_issuer(deployment: Deployment, name: str, provider: str = "Scripted", *, enabled: bool = True) -> None:
    """Set an issuer."""
    deployment.house.issuers.set(SERVICE, deployment.vault, name, IssuerParameters(provider, enabled=enabled))


def renamed(deployment: Deployment, issuer: str) -> None:
    """Change the policy's issuer, after the certificate was issued."""

    def change(policy: Policy) -> Policy:
        return replace(policy, issuer=PolicyIssuer(issuer))

    deployment.house.certificates.update_policy(deployment.administrator, deployment.vault, "web", change)


def told(deployment: Deployment) -> list[tuple[str | None, str, str]]:
    """List what events tell of revocations."""
    events = [event for event in deployment.events() if event.type is EventType.CERTIFICATE_REVOKED]
    return [(event.version, event.detail["issuer"], event.detail["reason"]) for event in events]


def test_the_issuer_is_asked_and_an_event_tells(deployment: Deployment, clock: FakeClock) -> None:
    """The current version, by the issuer that made it; it stays as it is, and what takes its place is planned for now."""
    version = issue(deployment)
    before = deployment.get("web")
    revoked = revoke(deployment, "WEB", reason="Superseded")
    assert (revoked.version.version, revoked.issuer, revoked.reason) == (version, ISSUER, "superseded")
    assert deployment.authority.revoked == [(ISSUER, before.version.der, 4)]
    assert told(deployment) == [(version, ISSUER, "superseded")]
    after = deployment.get("web")
    assert after.version == before.version
    assert after.certificate.renewal.reason is OperationReason.REVOKED
    clock.advance(MINUTE)
    deployment.work()
    assert deployment.get("web").version.version != version


def test_a_version_is_revoked_by_the_issuer_that_made_it(deployment: Deployment) -> None:
    """Whatever the policy says by now: the version before, from another issuer."""
    first = issue(deployment)
    der = deployment.get("web").version.der
    set_issuer(deployment, "other-ca")
    assert issue(deployment, issuer="other-ca") != first
    revoke(deployment, version=first, reason=1)
    assert deployment.authority.revoked == [(ISSUER, der, 1)]
    renamed(deployment, "Self")
    revoke(deployment)
    assert [entry[0] for entry in deployment.authority.revoked] == [ISSUER, "other-ca"]


def test_an_imported_certificate_is_revoked_by_the_issuer_of_its_policy(deployment: Deployment) -> None:
    """Where the owner says who that is."""
    value = a_parcel().pfx()
    arrival = Arrival(value, None, change=lambda policy: replace(policy, issuer=PolicyIssuer(ISSUER)))
    deployment.house.imports.import_(deployment.administrator, deployment.vault, "web", arrival)
    revoke(deployment)
    assert len(deployment.authority.revoked) == 1


def self_signed(deployment: Deployment) -> None:
    """Make a self-signed certificate, and name an issuer in its policy afterwards."""
    issue(deployment, issuer="Self")
    renamed(deployment, ISSUER)


def imported(deployment: Deployment) -> None:
    """Import one."""
    deployment.house.imports.import_(deployment.administrator, deployment.vault, "web", Arrival(a_parcel().pfx(), None))


def without_its_issuer(deployment: Deployment) -> None:
    """Delete the issuer."""
    issue(deployment)
    deployment.house.issuers.delete(SERVICE, deployment.vault, ISSUER)


def of_a_disabled_issuer(deployment: Deployment) -> None:
    """Disable the issuer."""
    issue(deployment)
    set_issuer(deployment, ISSUER, enabled=False)


def of_a_provider_that_cannot(deployment: Deployment) -> None:
    """Let the deployment's own root issue it, which keeps no list."""
    set_issuer(deployment, "own", "Local")
    issue(deployment, issuer="own")


def refused(deployment: Deployment) -> None:
    """Let the CA refuse."""
    issue(deployment)
    deployment.authority.refusals.append(Revocation(done=False, message="ca.test answered: Not yours (unauthorized)"))


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (self_signed, "self-signed, and there is nobody to revoke it"),
        (imported, "was imported, or signed outside of the vault"),
        (without_its_issuer, f"The issuer {ISSUER}, which the certificate web is from, does not exist any more"),
        (of_a_disabled_issuer, "is disabled: nothing is asked of it"),
        (of_a_provider_that_cannot, "The provider Local of the issuer own has no way to revoke"),
        (refused, "The certificate web is not revoked. ca.test answered: Not yours (unauthorized)"),
    ],
)
def test_what_nobody_revokes_is_a_conflict_in_words(
    deployment: Deployment, prepare: Callable[[Deployment], None], words: str
) -> None:
    """Nothing is told as revoked."""
    prepare(deployment)
    with pytest.raises(Conflict, match=words.replace("(", r"\(").replace(")", r"\)")):
        revoke(deployment)
    assert told(deployment) == []
    assert deployment.authority.revoked == []


def test_a_ca_that_wants_to_be_asked_later_is_unavailable(deployment: Deployment) -> None:
    """The caller is told how long to wait, and not a fraction of a second less."""
    issue(deployment)
    deployment.authority.refusals.append(
        Revocation(done=False, message="Too many.", retry_at=START + timedelta(seconds=90, milliseconds=1))
    )
    with pytest.raises(Unavailable, match=r"not revoked\. Too many") as caught:
        revoke(deployment)
    assert caught.value.retry_after == timedelta(seconds=91)
    assert told(deployment) == []
    revoke(deployment)
    assert len(told(deployment)) == 1


@pytest.mark.parametrize(
    ("name", "version", "reason", "error"),
    [
        ("nobody", None, 0, CertificateNotFound),
        ("web", "0" * 32, 0, CertificateNotFound),
        ("w_b", None, 0, BadParameter),
        ("web", None, "because", BadParameter),
        ("web", None, 2, BadParameter),
        ("web", None, "", BadParameter),
        ("web", None, True, BadParameter),
    ],
)
def test_what_cannot_be_meant_is_refused(
    deployment: Deployment, name: str, version: str | None, reason: str | int, error: type[CertworkerError]
) -> None:
    """No such certificate or version, no such reason: the CA is not asked."""
    issue(deployment)
    with pytest.raises(error):
        revoke(deployment, name, version, reason)
    assert deployment.authority.revoked == []


@pytest.mark.parametrize(
    ("given", "reason", "code"),
    [
        ("0", "unspecified", 0),
        (" keycompromise ", "keyCompromise", 1),
        (3, "affiliationChanged", 3),
        ("5", "cessationOfOperation", 5),
    ],
)
def test_a_reason_is_a_word_or_its_number(deployment: Deployment, given: str | int, reason: str, code: int) -> None:
    """The CA gets the number, and whoever reads the event the word."""
    issue(deployment)
    assert revoke(deployment, reason=given).reason == reason
    assert deployment.authority.revoked[0][2] == code
    assert told(deployment)[0][2] == reason


def test_a_deleted_certificate_is_recovered_first(deployment: Deployment) -> None:
    """It is out of sight, as for everything else."""
    issue(deployment)
    deployment.house.certificates.delete(deployment.administrator, deployment.vault, "web")
    with pytest.raises(CertificateNotFound):
        revoke(deployment)


def test_only_whom_it_is_allowed_may_ask(deployment: Deployment) -> None:
    """Neither for a revocation nor for another key."""
    issue(deployment)
    dealings = deployment.house.dealings
    with pytest.raises(Forbidden, match="certificates delete permission"):
        dealings.revocations.revoke(STRANGER, deployment.vault, "web", None, 0)
    with pytest.raises(Forbidden, match="certificates setissuers permission"):
        dealings.account_keys.roll(STRANGER, deployment.vault, ISSUER)


# --- another key for an account ---------------------------------------------------------------------------------------


def roll(deployment: Deployment, issuer: str = ISSUER) -> str:
    """Exchange the key of an issuer's account, as the administrator."""
    return deployment.house.dealings.account_keys.roll(deployment.administrator, deployment.vault, issuer).name


def test_an_accounts_key_is_exchanged_by_the_provider(deployment: Deployment, clock: FakeClock) -> None:
    """What it answers is told: a refusal as a conflict, and what is worth another try with the time for it."""
    assert roll(deployment, ISSUER.upper()) == ISSUER
    (request,) = deployment.authority.requests
    assert (request.issuer, request.csr, request.names) == (ISSUER, b"", ())
    deployment.authority.exchanges.extend(
        [KeyRoll(done=False, message="No account."), KeyRoll(done=False, message="Busy.", retry_at=clock() + MINUTE)]
    )
    with pytest.raises(Conflict, match=r"is not exchanged\. No account\."):
        roll(deployment)
    with pytest.raises(Unavailable, match="Busy") as caught:
        roll(deployment)
    assert caught.value.retry_after == MINUTE


def test_an_issuer_without_an_account_key_says_so(deployment: Deployment) -> None:
    """One that is not there, one that is disabled, and one whose provider has nothing to exchange."""
    with pytest.raises(IssuerNotFound):
        roll(deployment, "nobody")
    set_issuer(deployment, "own", "Local")
    with pytest.raises(Conflict, match="no way to roll key"):
        roll(deployment, "own")
    set_issuer(deployment, ISSUER, enabled=False)
    with pytest.raises(Conflict, match="is disabled"):
        roll(deployment)


def test_a_candidate_takes_the_place_of_a_key_once(deployment: Deployment) -> None:
    """In one transaction, under the seal of its new place; a candidate that is another one by now changes nothing."""
    vault_id, house = deployment.vault.id, deployment.house
    accounts = Accounts(house.store, house.keyring)
    accounts.keep(vault_id, "ca", "https://ca", Account(b"old", "https://ca/1", b"told"))
    candidate = accounts.keep(vault_id, "ca", "next", Account(b"new", document=b"one"))
    accounts.promote(vault_id, "ca", "https://ca", "next", replace(candidate, document=b"two"))
    assert accounts.find(vault_id, "ca", "https://ca") == Account(b"old", "https://ca/1", b"told")
    accounts.promote(vault_id, "CA", "https://ca", "next", candidate)
    assert accounts.find(vault_id, "ca", "https://ca") == Account(b"new", "https://ca/1", b"told")
    assert accounts.find(vault_id, "ca", "next") is None
    accounts.promote(vault_id, "ca", "https://ca", "next", replace(candidate, key=b"other"))
    accounts.update(vault_id, "ca", "https://ca", Account(b"not this", "https://ca/2"))
    assert accounts.find(vault_id, "ca", "https://ca") == Account(b"new", "https://ca/2")
    accounts.discard(vault_id, "ca", "https://ca", Account(b"new", "https://ca/2", b"told"))
    assert accounts.find(vault_id, "ca", "https://ca")


def test_what_a_provider_warns_of_is_a_warning_of_the_operation(deployment: Deployment) -> None:
    """Beside what was found in the certificate itself, for whoever looks at the operation."""

    def issue_with_a_warning(request: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        issued = deployment.authority.issue(request, progress, at)
        return Issued(issued.chain, issued.progress, ("None of the chains leads to 'X'.",))

    deployment.authority.script.append(issue_with_a_warning)
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    operation = deployment.operation("web")
    assert operation.warnings[-1] == "None of the chains leads to 'X'."
    assert "None of the chains leads to 'X'." in str(operation.status_details)
