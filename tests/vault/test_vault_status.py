"""The status of a vault: the command that goes on from each trouble."""

import pytest

from certworker.vault.renewal.outlook import NextStep, Outlook
from certworker.vault.summary.attention import Trouble
from certworker.vault.vault_status import _to_do
from tests.support.records import a_certificate


@pytest.mark.parametrize(
    ("trouble", "step", "to_do"),
    [
        (Trouble.WAITS_FOR_SIGNATURE, NextStep.PERSON, "csr merge Web FILE"),
        (Trouble.EXPIRED, NextStep.PERSON, "csr create Web"),
        (Trouble.REVOCATION_UNKNOWN, NextStep.PERSON, "revocation check Web"),
        (Trouble.REVOCATION_UNKNOWN, NextStep.RENEWAL, "revocation check Web"),
        (Trouble.PAUSED, NextStep.PAUSED, "certificate resume Web"),
        (Trouble.OVERDUE, NextStep.ISSUER, "issuer test {issuer}"),
        (Trouble.RENEWAL_FAILED, NextStep.OPERATION, "certificate show Web"),
        (Trouble.FAILED, NextStep.NOTHING, "certificate show Web"),
        (Trouble.NOT_RENEWED, NextStep.NOTHING, "certificate renew Web"),
        (Trouble.REVOKED, NextStep.RETRY, "certificate renew Web"),
    ],
)
def test_each_trouble_has_a_command_that_goes_on(trouble: Trouble, step: NextStep, to_do: str) -> None:
    """By what is wrong, and by what it waits for."""
    certificate = a_certificate()
    expected = to_do.format(issuer=certificate.policy.issuer.name)
    assert _to_do(trouble, Outlook(certificate, step, "")) == f"certworker {expected}"
