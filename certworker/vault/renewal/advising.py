"""CAs are asked when they want their certificates to be renewed, and what they answer is planned by."""

from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import Final, cast

from certworker.clock import Clock, whole_second
from certworker.crypto.x509 import validity
from certworker.errors import LeaseLost
from certworker.measures import Measure, Measures, Purpose, asking
from certworker.vault.events import Event, EventType
from certworker.vault.issuance import Advice, NoAdvice, Providers, RenewalAdvisor
from certworker.vault.issuers import Issuers
from certworker.vault.objects import CertificateVersion, ObjectKind
from certworker.vault.operations import Operation
from certworker.vault.renewal.advice import (
    LONGEST_PAUSE,
    Known,
    Unwatched,
    after,
    back_off,
    first_watch,
    moved_earlier,
    next_look,
)
from certworker.vault.renewal.planning import Planner
from certworker.vault.store import Reader, Store, Writer
from certworker.vault.vaults import Issuer
from certworker.vault.watches import Watch, WatchKind

NOBODY: Final = "The issuer {} does not exist any more, is disabled, or has no way to say when it wants certificates renewed."


@dataclass(frozen=True, slots=True)
class _Silence:
    """A CA that does not answer is left alone for a while, whatever certificate it would be asked about."""

    until: datetime
    failures: int


class Advising:
    """Asks CAs for advice, and keeps the watches over the versions that they can be asked about. It asks for no caller."""

    def __init__(
        self,
        store: Store,
        issuers: Issuers,
        providers: Providers,
        planner: Planner,
        random: Random,
        clock: Clock,
        measures: Measures,
    ) -> None:
        self._store = store
        self._issuers = issuers
        self._providers = providers
        self._planner = planner
        self._random = random
        self._clock = clock
        self._measures = measures
        # only a hint, which saves a CA from questions: a process that knows nothing of it asks, and finds out
        self._silences: dict[tuple[str, str], _Silence] = {}

    def follow(self, writer: Writer, operation: Operation, version: CertificateVersion) -> None:
        """Watch over a version that is made the current one, as part of that transaction, where its CA can be asked."""
        if not self._watch(writer, operation, version.attributes.created):
            writer.delete_watch(WatchKind.ADVICE, operation.vault_id, operation.name)

    def heal(self, at: datetime) -> int:
        """Watch over current versions that nobody watches: of an earlier release, or of a provider that has learned it."""
        with self._store.reading() as reader:
            found = self._worth_asking(reader, reader.unwatched(WatchKind.ADVICE))
        return sum(self._heal(one, at) for one in found)

    def look(self, watch: Watch) -> None:
        """Ask about the version of a claimed watch, and record what came of it. Raises LeaseLost where it was taken over."""
        known, at = Known.read(watch.state), whole_second(self._clock())
        current, issuer = self._find(watch, known)
        advisor = self._advisor(issuer)
        if validity(current.der)[1] <= at:
            self._keep(replace(watch, due_at=None))
        elif issuer is None or advisor is None:
            self._record(watch, known, current, NoAdvice(NOBODY.format(known.issuer), passing=False))
        elif until := self._silent_until(issuer, at):
            self._keep(replace(watch, due_at=until))
        else:
            with asking(self._measures, Purpose.ADVICE, issuer.name, self._clock):
                answer = advisor.advise(self._issuers.request(issuer), current.der, at)
            self._measures.count(Measure.ARI_FETCHES, issuer.name, _word_of(known, answer))
            self._listen(issuer, answer, whole_second(self._clock()))
            self._record(watch, known, current, answer)

    def put_off(self, watch: Watch, error: str) -> None:
        """Record that asking went wrong in a way that its provider did not foresee. Raises LeaseLost."""
        known = Known.read(watch.state)
        current, _ = self._find(watch, known)
        self._record(watch, known, current, NoAdvice(error))

    def _find(self, watch: Watch, known: Known) -> tuple[CertificateVersion, Issuer | None]:
        with self._store.reading() as reader:
            current = reader.certificate_version(watch.vault_id, watch.name, None)
            issuer = reader.issuer(watch.vault_id, known.issuer)
        if current is None or current.version != watch.version:
            raise LeaseLost(f"The certificate {watch.name} has another version by now.")
        return current, issuer

    def _record(self, watch: Watch, known: Known, current: CertificateVersion, answer: Advice | NoAdvice) -> None:
        at = whole_second(self._clock())
        now = after(known, answer, self._random, at)
        due_at = next_look(answer, now.failures, at, validity(current.der)[1])
        with self._store.writing() as writer:
            # its name is held first, as by everybody: of two that wait for each other, the database gives one up
            writer.head(watch.vault_id, ObjectKind.CERTIFICATE, watch.name)
            writer.set_watch(replace(watch, due_at=due_at, state=now.show()))
            if _is_news(known, now):
                vault = writer.vault(watch.vault_id)
                writer.add_event(_event(watch, now, vault.name if vault else "", at))
            if now.window != known.window:
                self._planner.replan(writer, watch.vault_id, watch.name, at)
            if now.window and now.window.start <= at and moved_earlier(known.window, now.window):
                # so does a CA that is about to revoke it, or has: the reason says whether its key may be used again
                writer.hasten_watches(WatchKind.REVOCATION, watch.vault_id, watch.name)

    def _keep(self, watch: Watch) -> None:
        with self._store.writing() as writer:
            writer.set_watch(watch)

    def _silent_until(self, issuer: Issuer, at: datetime) -> datetime | None:
        silence = self._silences.get(_authority(issuer))
        # a clock that went back ends it
        return silence.until if silence and at < silence.until <= at + LONGEST_PAUSE else None

    def _listen(self, issuer: Issuer, answer: Advice | NoAdvice, at: datetime) -> None:
        """Note whether a CA is there, so that the others' questions wait where it is not."""
        if isinstance(answer, Advice) or not answer.passing:
            self._silences.pop(_authority(issuer), None)
            return
        before = self._silences.get(_authority(issuer))
        failures = before.failures + 1 if before else 1
        until = min(max(at + back_off(failures), answer.retry_at or at), at + LONGEST_PAUSE)
        self._silences[_authority(issuer)] = _Silence(whole_second(until), failures)

    def _watch(self, writer: Writer, operation: Operation, at: datetime) -> bool:
        issuer = writer.issuer(operation.vault_id, operation.policy.issuer.name) if operation.policy.is_integrated else None
        if self._advisor(issuer) is None or issuer is None:
            return False
        writer.put_watch(first_watch(operation.vault_id, operation.name, operation.version, issuer.name, at))
        return True

    def _worth_asking(self, reader: Reader, unwatched: tuple[Unwatched, ...]) -> list[Unwatched]:
        wanted = {(one.vault_id, one.issuer) for one in unwatched if one.issuer is not None}
        asked = {(vault_id, name) for vault_id, name in wanted if self._advisor(reader.issuer(vault_id, name))}
        return [one for one in unwatched if one.issuer is None or (one.vault_id, one.issuer) in asked]

    def _heal(self, one: Unwatched, at: datetime) -> bool:
        with self._store.writing() as writer:
            head = writer.head(one.vault_id, ObjectKind.CERTIFICATE, one.name)
            made = writer.operation_of_version(one.vault_id, one.name, one.version)
            if head is None or head.deletion or head.current_version != one.version or made is None:
                return False  # it has changed since it was listed
            return self._watch(writer, made, at)

    def _advisor(self, issuer: Issuer | None) -> RenewalAdvisor | None:
        if issuer is None or not issuer.enabled:
            return None
        provider = self._providers.get(issuer.provider.casefold())
        return cast("RenewalAdvisor", provider) if callable(getattr(provider, "advise", None)) else None


def _authority(issuer: Issuer) -> tuple[str, str]:
    return issuer.provider.casefold(), issuer.account_id


def _word_of(known: Known, answer: Advice | NoAdvice) -> str:
    """Say what came of a question, in the words of the metric."""
    if isinstance(answer, NoAdvice):
        return "failed" if answer.offered else "none_offered"
    is_another = known.window is not None and (known.window.start, known.window.end) != (answer.start, answer.end)
    return "moved" if is_another else "window"


def _is_news(known: Known, now: Known) -> bool:
    """Whether people should hear of it: the CA wants it earlier than it did, or explains itself."""
    explains = now.explanation_url is not None and now.explanation_url != known.explanation_url
    return moved_earlier(known.window, now.window) or explains


def _event(watch: Watch, now: Known, vault: str, at: datetime) -> Event:
    window = now.window
    times = {"start": window.start, "end": window.end, "point": window.point} if window else {}
    detail = {"vault": vault, "issuer": now.issuer, "explanation_url": now.explanation_url or ""}
    detail |= {name: time.isoformat() for name, time in times.items()}
    kind = ObjectKind.CERTIFICATE
    return Event(EventType.RENEWAL_ADVISED, at, watch.vault_id, kind, watch.name, version=watch.version, detail=detail)
