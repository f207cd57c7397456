"""The proofs that an operation has put up: noted before they are, and taken down whatever becomes of the order."""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from time import monotonic

from certworker.errors import CertworkerError
from certworker.issuers.acme.solvers import Proof, Solver
from certworker.vault.issuance import ChallengeBoard

NOTED = timedelta(days=30)
"""How long it is remembered what was put up, should nobody come to take it down."""

LONGEST_CLEANING_SECONDS = 40.0
"""How much of a step the cleaning may take when everything has to go at once."""

_log = logging.getLogger(__name__)


class Proofs:
    """What one operation has put up. The note of it lies on the board, so that a process that goes on from another knows."""

    def __init__(self, solver: Solver, board: ChallengeBoard, operation_id: str) -> None:
        self.solver = solver
        self._board = board
        self._note = f"presented:{operation_id}"

    def of_order(self, url: str) -> list[Proof]:
        """Give those of one order, in the order in which they were put up."""
        return [proof for proof in self._read() if proof.order == url]

    def put_up(self, proofs: Sequence[tuple[Proof, datetime]], at: datetime, *, insist: bool = False) -> None:
        """Put proofs up, each until its time. Raises as `Solver.present` does."""
        placed = [(replace(proof, place=self.solver.place(proof.identifier)), expires) for proof, expires in proofs]
        # noted first: a process that is killed in between leaves nothing up that nobody knows of
        self._write(_noted(self._read(), [proof for proof, _ in placed]), at)
        for proof, expires in placed:
            self.solver.present(proof, expires, insist=insist)

    def take_down(self, at: datetime) -> bool:
        """Take the next few down; tell whether some are left. One that cannot be taken down is logged, and stays noted."""
        return bool(self._take_down(self._read(), at, monotonic() + LONGEST_CLEANING_SECONDS))

    def take_all_down(self, at: datetime) -> None:
        """Take all down, as far as that goes at once."""
        until = monotonic() + LONGEST_CLEANING_SECONDS
        noted = self._read()
        while noted and monotonic() < until:
            left = self._take_down(noted, at, until)
            if len(left) == len(noted):
                break
            noted = left

    def _take_down(self, noted: Sequence[Proof], at: datetime, until: float) -> list[Proof]:
        """Take a batch down; gives what is left, with what did not go behind the others."""
        tried, gone = list[Proof](), list[Proof]()
        for proof in noted[: self.solver.batch]:
            if monotonic() > until:
                break
            tried.append(proof)
            gone += [proof] if self._clean_up(proof) else []
        left = sorted((proof for proof in noted if proof not in gone), key=lambda proof: proof in tried)
        if gone:
            self._write(left, at)
        return left

    def _clean_up(self, proof: Proof) -> bool:
        if proof.kind != self.solver.kind:
            _log.warning(
                "What was put up for %s to prove %s stays there: the issuer has another challenge now.",
                proof.kind,
                proof.place or proof.identifier,
            )
            return True
        try:
            self.solver.clean_up(proof)
        except (CertworkerError, OSError) as error:
            _log.warning("What was put up to prove %s was not taken down: %s", proof.place or proof.identifier, error)
            return False
        return True

    def _read(self) -> list[Proof]:
        text = self._board.find(self._note)
        return [Proof(**fields) for fields in json.loads(text)] if text else []

    def _write(self, proofs: Iterable[Proof], at: datetime) -> None:
        if noted := [asdict(proof) for proof in proofs]:
            self._board.post(self._note, json.dumps(noted), at + NOTED)
        else:
            self._board.take_down(self._note)


def _noted(before: Sequence[Proof], placed: Sequence[Proof]) -> Iterable[Proof]:
    """Add proofs to a note. One that belongs elsewhere now is of no order any more, but is to be taken down all the same."""
    tokens = {proof.token for proof in placed}
    old = [replace(proof, order="") if proof.token in tokens and proof not in placed else proof for proof in before]
    return dict.fromkeys([*old, *placed])
