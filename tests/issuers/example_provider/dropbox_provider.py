"""A provider for a CA that is not on any network: requests are dropped into a folder, and somebody brings the answers.

The issuer record's account id is the folder. For each operation there appears NAME.csr; the CA's people put NAME.pem (the
certificate and its chain) or NAME.refused (a text that says why not) beside it.

What certworker asks of a provider is in `certworker.vault.issuance`: one `step`, which looks or asks once and never sleeps.
What it gives back as progress is stored before the next step, and any worker can go on from there, also after a crash: so
whatever is done must be found again and not done twice. Here the file's name, made from the operation's id, sees to that.
"""

from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certworker.crypto.x509 import split_pem
from certworker.errors import BadParameter
from certworker.vault.issuance import Examination, IssuanceRequest, Issued, Pending, Rejected, Step
from certworker.vault.operations import Progress

LOOK_AGAIN = timedelta(minutes=5)


class DropBoxProvider:
    """The factory that the entry point names: called with nothing, it gives a Provider. A class will do."""

    def step(self, request: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        """Drop the request, or look whether its answer has come."""
        try:
            return self._step(Path(request.account_id), request, progress or {}, at)
        except OSError as error:
            # What may be better later is Pending with a failure: certworker tries again, less and less often.
            return Pending(progress or {}, None, failure=f"The folder cannot be used: {error.strerror}.")

    def _step(self, folder: Path, request: IssuanceRequest, progress: Progress, at: datetime) -> Step:
        asked = folder / f"{request.operation_id}.csr"
        if "step" not in progress:
            whole = asked.with_suffix(".draft")
            whole.write_bytes(x509.load_der_x509_csr(request.csr).public_bytes(Encoding.PEM))
            whole.replace(asked)  # nobody reads half a request, and a second time changes nothing
            return Pending({"step": "dropped"}, at + LOOK_AGAIN)
        if (refused := asked.with_suffix(".refused")).exists():
            return Rejected("Request rejected", refused.read_text().strip()[:500] or "The CA gave no reason.")
        if not (answer := asked.with_suffix(".pem")).exists():
            return Pending(progress, at + LOOK_AGAIN)
        try:
            # Names, key and dates are checked by certworker: what does not fit the request never becomes a version.
            return Issued(split_pem(answer.read_bytes()))
        except BadParameter as error:
            return Pending(progress, None, failure=f"{answer.name} cannot be read: {error}")

    def cancel(self, request: IssuanceRequest, _progress: Progress, _at: datetime) -> Pending | None:
        """Take the request back. This and `examine` are for those providers that can; certworker looks for them."""
        (Path(request.account_id) / f"{request.operation_id}.csr").unlink(missing_ok=True)
        return None

    def examine(self, request: IssuanceRequest, _at: datetime) -> Examination:
        """Say whether the folder is there: what `certworker issuer test` shows."""
        there = Path(request.account_id).is_dir()
        return Examination(there, ("The folder is there." if there else "The folder is not there.",))
