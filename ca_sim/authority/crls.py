"""Certificate revocation lists (RFC 5280 section 5): full, of one shard, and delta, made when they are asked for."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import BaseModel

from ca_sim.authority.hierarchy import Authority
from ca_sim.authority.keys import SigningKey, digest_for, make_key, type_of
from ca_sim.authority.links import Links, Shard
from ca_sim.authority.revocations import Revocation, Revocations
from ca_sim.authority.settings import AuthoritySettings
from ca_sim.authority.signers import Signer
from ca_sim.authority.templates import distribution_point
from ca_sim.book import Book
from ca_sim.clock import Clock

ROOM, SHARDS = "crl", "crl-shards"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a CRL is about: all that a signer issued, or one shard of it."""

    signer: Signer
    shard: Shard | None = None

    @property
    def id(self) -> str:
        """Give the name of its memory in the book."""
        return self.signer.id if self.shard is None else f"{self.signer.id}/{self.shard}"


@dataclass(frozen=True, slots=True)
class Crl:
    """A CRL that was made. `fresh_until` is when another one is made at the next look."""

    der: bytes
    number: int
    this_update: datetime
    next_update: datetime
    fresh_until: datetime
    generation: int
    serials: frozenset[int]

    def serves(self, at: datetime) -> bool:
        """Whether it is still the one to give, unless something was revoked; a clock that went back makes a new one."""
        return self.this_update <= at < self.fresh_until


class _Memory(BaseModel):
    """What is kept over a restart: the last number, and when the last full CRL was made."""

    number: int = 0
    this_update: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """Times and interval of a CRL to be made."""

    at: datetime
    interval: timedelta
    lifetime: timedelta


class Crls:
    """Makes CRLs by the virtual clock and gives the same one until it is time for the next."""

    def __init__(
        self,
        book: Book,
        authority: Authority,
        revocations: Revocations,
        settings: AuthoritySettings,
        links: Links,
        clock: Clock,
    ) -> None:
        self._book = book
        self._authority = authority
        self._revocations = revocations
        self._settings = settings
        self._links = links
        self._clock = clock
        self._full: dict[str, Crl] = {}
        self._deltas: dict[str, Crl] = {}
        self._entries: dict[Revocation, x509.RevokedCertificate] = {}
        self._counts = self._remember_counts(settings.crl_shards)

    def scope(self, signer_id: str, shard_name: str | None) -> Scope | None:
        """Find the scope of a CRL by the names in its URL: shards are those that leaves were ever spread over."""
        signer = self._authority.signer(signer_id)
        if signer is None or shard_name is None:
            return Scope(signer) if signer else None
        shard = Shard.read(shard_name)
        known = shard is not None and shard.count in self._counts and self._authority.is_issuer(signer)
        return Scope(signer, shard) if known else None

    def full(self, scope: Scope) -> Crl:
        """Give the CRL of a scope."""
        known, plan = self._full.get(scope.id), self._plan(scope)
        at_once = self._settings.crl_at_once and not self._has_delta(scope)
        if known is None or not known.serves(plan.at) or (at_once and self._changed(known)):
            known = self._full[scope.id] = self._make_full(scope, plan)
        return known

    def delta(self, scope: Scope) -> Crl | None:
        """Give what was revoked since the full CRL (RFC 5280 section 5.2.4); none where there are no delta CRLs."""
        if not self._has_delta(scope):
            return None
        base, known, at = self.full(scope), self._deltas.get(scope.id), self._clock()
        usable = known is not None and known.number > base.number and known.serves(at)
        if known is None or not usable or (self._settings.crl_at_once and self._changed(known)):
            known = self._deltas[scope.id] = self._make_delta(scope, base, at)
        return known

    def stale(self, scope: Scope, ago: timedelta) -> Crl:
        """Give a CRL that ran out so long ago, as one that was never followed by another."""
        plan = self._plan(scope)
        plan = replace(plan, at=plan.at - ago - plan.lifetime)
        listed = [revocation for revocation in self._listed(scope, None) if revocation.at <= plan.at]
        number = max(self._memory(scope).number, 1)
        return self._sign(scope, plan, number, listed, self._extensions(scope))

    def forged(self, scope: Scope) -> Crl:
        """Give a CRL that is right but for its signature."""
        key = make_key(type_of(scope.signer.key))
        listed = self._listed(scope, None)
        return self._sign(scope, self._plan(scope), self._memory(scope).number + 1, listed, self._extensions(scope), key)

    def _has_delta(self, scope: Scope) -> bool:
        return bool(self._settings.delta_crl_seconds) and self._authority.is_issuer(scope.signer)

    def _changed(self, known: Crl) -> bool:
        return known.generation != self._revocations.generation()

    def _plan(self, scope: Scope) -> _Plan:
        settings, at = self._settings, self._clock()
        if not self._authority.is_issuer(scope.signer):
            lifetime = timedelta(seconds=settings.arl_lifetime_seconds)
            return _Plan(at, lifetime / 2, lifetime)
        return _Plan(at, timedelta(seconds=settings.crl_interval_seconds), timedelta(seconds=settings.crl_lifetime_seconds))

    def _make_full(self, scope: Scope, plan: _Plan) -> Crl:
        memory = self._memory(scope)
        # a clock that went back has certificates that are not expired any more
        listed = self._listed(scope, memory.this_update and min(memory.this_update, plan.at))
        crl = self._sign(scope, plan, memory.number + 1, listed, self._extensions(scope))
        self._remember(scope, _Memory(number=crl.number, this_update=crl.this_update))
        return crl

    def _make_delta(self, scope: Scope, base: Crl, at: datetime) -> Crl:
        memory = self._memory(scope)
        interval = timedelta(seconds=self._settings.delta_crl_seconds)
        plan = _Plan(at, interval, min(2 * interval, base.next_update - at))
        news = [revocation for revocation in self._listed(scope, base.this_update) if revocation.serial not in base.serials]
        extensions = [(x509.DeltaCRLIndicator(base.number), True), *self._extensions(scope, delta=True)]
        crl = self._sign(scope, plan, memory.number + 1, news, extensions)
        self._remember(scope, memory.model_copy(update={"number": crl.number}))
        return crl

    def _listed(self, scope: Scope, last: datetime | None) -> list[Revocation]:
        """List the revocations of a scope; an expired certificate stands in one CRL after its end (section 3.3)."""
        found = self._revocations.of(scope.signer)
        return [
            revocation
            for revocation in found
            if (scope.shard is None or scope.shard.holds(revocation.serial)) and (last is None or last <= revocation.not_after)
        ]

    def _extensions(self, scope: Scope, *, delta: bool = False) -> list[tuple[x509.ExtensionType, bool]]:
        extensions: list[tuple[x509.ExtensionType, bool]] = []
        if scope.shard is not None:
            extensions.append((_distribution(self._links.crl(scope.signer.id, scope.shard)), True))
        if self._has_delta(scope) and not delta:
            point = distribution_point(self._links.delta(scope.signer.id, scope.shard))
            extensions.append((x509.FreshestCRL([point]), False))
        return extensions

    def _sign(
        self,
        scope: Scope,
        plan: _Plan,
        number: int,
        listed: Iterable[Revocation],
        extensions: Iterable[tuple[x509.ExtensionType, bool]],
        key: SigningKey | None = None,
    ) -> Crl:
        generation, entries = self._revocations.generation(), list(listed)
        signer = scope.signer
        # All at once: the builder copies its list for each entry that is added to it.
        builder = x509.CertificateRevocationListBuilder(
            signer.certificate.subject,
            plan.at,
            plan.at + plan.lifetime,
            revoked_certificates=[self._entry(revocation) for revocation in entries],
        )
        builder = builder.add_extension(x509.AuthorityKeyIdentifier(signer.key_identifier, None, None), critical=False)
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        der = builder.sign(key or signer.key, digest_for(signer.key)).public_bytes(Encoding.DER)
        fresh_until = plan.at + min(plan.interval, plan.lifetime)
        serials = frozenset(revocation.serial for revocation in entries)
        return Crl(der, number, plan.at, plan.at + plan.lifetime, fresh_until, generation, serials)

    def _entry(self, revocation: Revocation) -> x509.RevokedCertificate:
        entry = self._entries.get(revocation)
        if entry is None:
            builder = x509.RevokedCertificateBuilder().serial_number(revocation.serial).revocation_date(revocation.at)
            if revocation.flag is not None:
                builder = builder.add_extension(x509.CRLReason(revocation.flag), critical=False)
            entry = self._entries[revocation] = builder.build()
        return entry

    def _remember_counts(self, count: int) -> set[int]:
        with self._book.transaction():
            if count > 1:
                self._book.put_document(SHARDS, str(count), str(count))
        return {int(body) for _, body in self._book.documents(SHARDS)}

    def _memory(self, scope: Scope) -> _Memory:
        body = self._book.document(ROOM, scope.id)
        return _Memory() if body is None else _Memory.model_validate_json(body)

    def _remember(self, scope: Scope, memory: _Memory) -> None:
        with self._book.transaction():
            self._book.put_document(ROOM, scope.id, memory.model_dump_json())


def _distribution(url: str) -> x509.IssuingDistributionPoint:
    """Say that a CRL is one shard's, and of leaves alone (baseline requirements, section 7.2.2.1)."""
    return x509.IssuingDistributionPoint(
        full_name=[x509.UniformResourceIdentifier(url)],
        relative_name=None,
        only_contains_user_certs=True,
        only_contains_ca_certs=False,
        only_some_reasons=None,
        indirect_crl=False,
        only_contains_attribute_certs=False,
    )
