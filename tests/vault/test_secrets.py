"""Secrets: what may be set, who may see it and when, and what stands in the way of a name."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from certworker.errors import (
    BadParameter,
    Conflict,
    DeletedButRecoverable,
    Disabled,
    Forbidden,
    NotDeleted,
    PurgeProtected,
    SealBroken,
    SecretNotFound,
)
from certworker.vault.events import Event, EventType
from certworker.vault.policy import PEM, PKCS12, KeyProperties
from certworker.vault.secrets import MAX_VALUE, NewSecret, OpenSecret, SecretUpdate
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, open_deployment, policy_for

Acts = tuple[Callable[[], object], ...]
LATER = START + timedelta(days=100)
REFUSED: tuple[tuple[NewSecret, str, str], ...] = (
    (NewSecret("x" * (MAX_VALUE + 1)), "value", "25601 bytes"),
    (NewSecret("ü" * (MAX_VALUE // 2 + 1)), "value", "25602 bytes"),
    (NewSecret("\ud800"), "value", "surrogate"),
    (NewSecret("v", content_type="c" * 256), "contentType", "256 characters"),
    (NewSecret("v", tags={str(number): "" for number in range(16)}), "tags", "at most 15"),
    (NewSecret("v", tags={"n" * 513: ""}), "tags", "512 characters"),
    (NewSecret("v", tags={"": "v"}), "tags", "512 characters"),
)


def set_(deployment: Deployment, name: str = "db", value: str = "hush", **more: Any) -> OpenSecret:  # noqa: ANN401
    """Set a secret, as the administrator."""
    return deployment.house.secrets.set(deployment.administrator, deployment.vault, name, NewSecret(value, **more))


def who(deployment: Deployment, name: str = "db") -> tuple[Any, Any, str]:
    """Say whose secret is meant."""
    return deployment.administrator, deployment.vault, name


def versions_told(deployment: Deployment) -> list[Event]:
    """List the events of new versions of secrets."""
    return [event for event in deployment.events() if event.type is EventType.SECRET_NEW_VERSION]


def test_a_value_is_given_back_as_it_was_set(deployment: Deployment) -> None:
    """Whatever characters it has, up to the largest, and nothing at all."""
    secrets = deployment.house.secrets
    for value in ("hush", "", "\0\r\n\t\x7f", "ü€😀" * 500, "x" * MAX_VALUE, "😀" * (MAX_VALUE // 4)):
        made = set_(deployment, value=value, content_type="text/plain", tags={"team": "a"})
        found = secrets.get(*who(deployment, "DB"))
        assert (found.value, found.secret) == (value, made.secret)
        assert found.secret.name == "db"
        assert found.secret.content_type == "text/plain"
        assert found.previous_version is None
    assert len(secrets.versions(*who(deployment), None, 25).items) == 6


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(), content_type=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=255))
def test_any_text_is_a_value(deployment: Deployment, value: str, content_type: str) -> None:
    """It comes back as it was; what is no text is refused."""
    try:
        value.encode()
    except UnicodeEncodeError:
        with pytest.raises(BadParameter):
            set_(deployment, value=value)
        return
    set_(deployment, value=value, content_type=content_type)
    opened = deployment.house.secrets.get(*who(deployment))
    assert (opened.value, opened.secret.content_type) == (value, content_type)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_life_on_either_database(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock, kind: str) -> None:
    """Set by many at once, changed, deleted, recovered, purged and restored."""
    url = request.getfixturevalue("postgresql_url") if kind == "postgresql" else None
    with open_deployment(tmp_path, clock, database_url=url) as deployment:
        secrets, at = deployment.house.secrets, who(deployment)
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda number: set_(deployment, value=f"value-{number}"), range(24)))
        assert {one.secret.version for one in made} == {one.version for one in secrets.versions(*at, None, 25).items}
        assert secrets.get(*at).value in {one.value for one in made}
        for one in made:
            assert secrets.get(*at, one.secret.version) == one
        assert {event.version for event in versions_told(deployment)} == {one.secret.version for one in made}
        secrets.update(*at, None, SecretUpdate("text/plain", expires=LATER, tags={"a": "b"}))
        current, backup = secrets.get(*at), deployment.house.backups.secrets.backup(*at)
        secrets.delete(*at)
        with pytest.raises(DeletedButRecoverable):
            set_(deployment)
        secrets.recover(*at)
        assert secrets.get(*at) == current
        secrets.delete(*at)
        secrets.purge(*at)
        restored = deployment.house.backups.secrets.restore(*at[:2], backup)
        assert restored.version == current.secret.version
        assert secrets.get(*at).value == current.value


def test_each_set_is_a_version_and_an_event(deployment: Deployment, clock: FakeClock) -> None:
    """The newest is the current one; the others stay as they were; the name keeps its first spelling."""
    first = set_(deployment, "Db", "one", expires=LATER)
    clock.advance(timedelta(hours=1))
    second = set_(deployment, "dB", "two")
    secrets = deployment.house.secrets
    assert second.secret.name == "Db"
    assert secrets.get(*who(deployment)).value == "two"
    assert secrets.get(*who(deployment), first.secret.version).value == "one"
    events = versions_told(deployment)
    assert [event.version for event in events] == [first.secret.version, second.secret.version]
    assert events[0].detail == {
        "vault": "contoso",
        "reason": "set",
        "nbf": "",
        "exp": str(int(LATER.timestamp())),
    }
    assert [item.head.name for item in secrets.list_(*who(deployment)[:2], None, 25).items] == ["Db"]


@pytest.mark.parametrize(("new", "field", "text"), REFUSED)
def test_what_cannot_be_set(deployment: Deployment, new: NewSecret, field: str, text: str) -> None:
    """The error names the field and what would be right, and never the value; nothing has changed."""
    with pytest.raises(BadParameter, match=text) as refused:
        deployment.house.secrets.set(*who(deployment), new)
    assert refused.value.field == field
    assert "xxxx" not in str(refused.value)
    with pytest.raises(SecretNotFound):
        deployment.house.secrets.get(*who(deployment))
    assert deployment.house.secrets.versions(*who(deployment), None, 25).items == ()


@pytest.mark.parametrize("name", ["", "a_b", "a.b", "x" * 128, "ä"])
def test_names(deployment: Deployment, name: str) -> None:
    """1 to 127 letters, digits and hyphens."""
    with pytest.raises(BadParameter, match="invalid name"):
        set_(deployment, name)
    assert set_(deployment, "x" * 127).secret.name == "x" * 127


def test_disabled_does_not_open_and_time_does_not_matter(deployment: Deployment, clock: FakeClock) -> None:
    """A disabled version is refused; one before its time or after its end is opened, as Key Vault does."""
    secrets = deployment.house.secrets
    early = set_(deployment, "early", not_before=LATER)
    assert secrets.get(*who(deployment, "early")) == early
    set_(deployment, "late", expires=START + timedelta(days=1))
    clock.advance(timedelta(days=2))
    assert secrets.get(*who(deployment, "late")).value == "hush"
    off = set_(deployment, "off", enabled=False)
    for version in (None, off.secret.version):
        with pytest.raises(Disabled, match="Operation get is not allowed on a disabled secret"):
            secrets.get(*who(deployment, "off"), version)
    secrets.update(*who(deployment, "off"), None, SecretUpdate(enabled=True))
    assert secrets.get(*who(deployment, "off")).value == "hush"


def test_an_update_changes_what_it_names(deployment: Deployment, clock: FakeClock) -> None:
    """One version only, and never the value; the rest stays."""
    secrets = deployment.house.secrets
    old = set_(deployment, value="one", content_type="a", tags={"team": "a"}, not_before=START)
    new = set_(deployment, value="two")
    clock.advance(timedelta(minutes=5))
    changed = secrets.update(*who(deployment), old.secret.version, SecretUpdate(content_type="b", expires=LATER))
    assert changed == secrets.get(*who(deployment), old.secret.version).secret
    assert (changed.content_type, changed.tags, changed.attributes.not_before) == ("b", {"team": "a"}, START)
    assert (changed.attributes.created, changed.attributes.updated) == (START, clock())
    assert secrets.get(*who(deployment)) == new
    assert secrets.get(*who(deployment), old.secret.version).value == "one"
    assert secrets.update(*who(deployment), None, SecretUpdate(tags={"x": "y"})).tags == {"x": "y"}
    assert secrets.update(*who(deployment), None, SecretUpdate(tags={})).tags == {}
    assert len(versions_told(deployment)) == 2


def test_a_notice_is_planned_with_the_end(deployment: Deployment, clock: FakeClock) -> None:
    """30 days before; anew where the end moves, and not where it stays: what was told is told once."""
    secrets, at, before = deployment.house.secrets, who(deployment), timedelta(days=30)

    def told() -> list[EventType]:
        ends = (EventType.SECRET_NEAR_EXPIRY, EventType.SECRET_EXPIRED)
        return [event.type for event in deployment.events() if event.type in ends]

    assert set_(deployment).secret.notice_at is None
    assert set_(deployment, expires=LATER).secret.notice_at == LATER - before
    clock.set(LATER - before)
    deployment.work()
    assert told() == [EventType.SECRET_NEAR_EXPIRY]
    assert secrets.update(*at, None, SecretUpdate(tags={"a": "b"}, expires=LATER)).notice_at == LATER
    deployment.work()
    assert told() == [EventType.SECRET_NEAR_EXPIRY]
    moved = secrets.update(*at, None, SecretUpdate(expires=LATER + before))
    assert moved.notice_at == secrets.get(*at).secret.notice_at == LATER
    for day in (LATER, LATER + before):
        clock.set(day)
        deployment.work()
    assert told() == [EventType.SECRET_NEAR_EXPIRY, EventType.SECRET_NEAR_EXPIRY, EventType.SECRET_EXPIRED]


def test_deleted_recovered_purged(deployment: Deployment, clock: FakeClock) -> None:
    """Out of sight, its name held; back again with all versions; and gone, for a person or in time."""
    secrets, at = deployment.house.secrets, who(deployment)
    for value in ("one", "two"):
        set_(deployment, value=value)
    deleted = secrets.delete(*at)
    assert deleted.head.deletion is not None
    assert deleted.head.deletion.purge_at == START + timedelta(days=90)
    assert secrets.deleted(*at) == deleted
    assert secrets.list_deleted(*at[:2], None, 25).items == (deleted,)
    gone: Acts = (
        lambda: secrets.get(*at),
        lambda: secrets.delete(*at),
        lambda: secrets.update(*at, None, SecretUpdate()),
    )
    for act in gone:
        with pytest.raises(SecretNotFound, match="was not found in this key vault"):
            act()
    assert secrets.versions(*at, None, 25).items == ()
    with pytest.raises(DeletedButRecoverable, match="Secret db is currently in a deleted but recoverable state"):
        set_(deployment)
    secrets.recover(*at)
    assert secrets.get(*at).value == "two"
    assert len(secrets.versions(*at, None, 25).items) == 2
    for refuse in (secrets.recover, secrets.purge):
        with pytest.raises(NotDeleted, match="Secret exists already: db"):
            refuse(*at)
    secrets.delete(*at)
    secrets.purge(*at)
    for missing in (secrets.deleted, secrets.recover, secrets.purge):
        with pytest.raises(SecretNotFound, match="Deleted Secret not found: db"):
            missing(*at)
    set_(deployment, value="three")
    secrets.delete(*at)
    clock.advance(timedelta(days=90))
    deployment.rounds.run("clearance", clock())
    assert secrets.list_deleted(*at[:2], None, 25).items == ()
    with deployment.house.store.reading() as reader:
        assert reader.secret_versions(at[1].id, "db", None, 25).items == ()


def test_purge_protection_holds_for_secrets(deployment: Deployment, clock: FakeClock) -> None:
    """Nobody purges before the date; the worker does on it."""
    secrets, at = deployment.house.secrets, who(deployment)
    set_(deployment)
    secrets.delete(*at)
    with deployment.house.store.writing() as writer:
        writer.replace_vault(replace(at[1], purge_protection=True))
    with pytest.raises(PurgeProtected):
        secrets.purge(*at)
    clock.advance(timedelta(days=90))
    deployment.rounds.run("clearance", clock())
    with pytest.raises(SecretNotFound):
        secrets.deleted(*at)


def test_the_secret_of_a_certificate_is_not_touched_alone(deployment: Deployment) -> None:
    """Not set, changed, deleted, recovered or purged; and a name is held from the first operation on."""
    secrets = deployment.house.secrets
    deployment.create("web", policy_for("web.test", "Self"))
    deployment.create("soon", policy_for("soon.test", "Unknown"))
    for name in ("web", "WEB", "soon"):
        with pytest.raises(Conflict, match="belongs to a certificate"):
            set_(deployment, name)
    at = who(deployment, "web")
    before = secrets.get(*at)
    live: Acts = (lambda: secrets.update(*at, None, SecretUpdate(enabled=False)), lambda: secrets.delete(*at))
    for act in live:
        with pytest.raises(Forbidden, match="belongs to the certificate"):
            act()
    assert secrets.get(*at) == before
    deployment.house.certificates.delete(*at)
    assert [item.head.managed for item in secrets.list_deleted(*at[:2], None, 25).items] == [True]
    deleted: Acts = (lambda: secrets.recover(*at), lambda: secrets.purge(*at))
    for act in deleted:
        with pytest.raises(Forbidden):
            act()
    with pytest.raises(DeletedButRecoverable):
        set_(deployment, "web")
    with pytest.raises(SecretNotFound):
        secrets.get(*who(deployment, "soon"))


def test_the_name_of_a_secret_is_held_against_a_certificate(deployment: Deployment) -> None:
    """Neither a live nor a deleted one lets a certificate have it."""
    set_(deployment, "web")
    with pytest.raises(Conflict, match="A secret named web already exists"):
        deployment.create("WEB", policy_for("web.test", "Self"))
    deployment.house.secrets.delete(*who(deployment, "web"))
    with pytest.raises(DeletedButRecoverable):
        deployment.create("web", policy_for("web.test", "Self"))


@pytest.mark.parametrize("exportable", [True, False])
@pytest.mark.parametrize(("stored", "asked"), [(PEM, PKCS12), (PKCS12, PEM), (PEM, PEM), (PKCS12, PKCS12)])
def test_the_secret_of_a_certificate_in_either_form(
    deployment: Deployment, stored: str, asked: str, *, exportable: bool
) -> None:
    """Each form can be asked for, with the key or without; its content type says which it is."""
    key = KeyProperties("EC", None, "P-256", exportable=exportable)
    deployment.create("web", policy_for("web.test", "Self", content_type=stored, key=key))
    secrets, at = deployment.house.secrets, who(deployment, "web")
    plain, opened = secrets.get(*at), secrets.get(*at, None, asked)
    assert opened.secret.content_type == asked
    assert (opened.value == plain.value) == (stored == asked)
    pem = opened.value if asked == PEM else secrets.get(*at, None, PEM).value
    assert ("PRIVATE KEY" in pem) == exportable
    assert pem.count("BEGIN CERTIFICATE") == 1


def test_forms_that_cannot_be(deployment: Deployment) -> None:
    """An unknown form, and a secret that is no certificate's, whatever its content type says."""
    deployment.create("web", policy_for("web.test", "Self"))
    set_(deployment, content_type=PKCS12)
    for name, form, text in (("web", "text/plain", "it is application"), ("db", PEM, "belongs to none")):
        with pytest.raises(BadParameter, match=text) as refused:
            deployment.house.secrets.get(*who(deployment, name), None, form)
        assert refused.value.field == "outContentType"


def test_a_version_names_the_one_before(deployment: Deployment, clock: FakeClock) -> None:
    """That of a certificate; the first has none."""
    made = []
    for _ in range(3):
        deployment.create("web", policy_for("web.test", "Self"))
        clock.advance(timedelta(seconds=1))
        made.append(deployment.get("web").version.version)
    at = who(deployment, "web")
    told = [deployment.house.secrets.get(*at, version).previous_version for version in made]
    assert told == [None, made[0], made[1]]


def _swap(deployment: Deployment, first: str, second: str) -> None:
    """Put a sealed value into another's row."""
    with deployment.house.store.writing() as writer:
        connection = writer._connection  # type: ignore[attr-defined]
        rows = dict(connection.exec_driver_sql("SELECT version, sealed_value FROM secret_version").all())
        for here, there in ((first, second), (second, first)):
            connection.exec_driver_sql("UPDATE secret_version SET sealed_value = ? WHERE version = ?", (rows[there], here))


def test_moved_and_altered_rows_are_noticed(deployment: Deployment) -> None:
    """A value that was put into another row, or has a bit turned over, is never given; the error names its place."""
    secrets = deployment.house.secrets
    one, two = set_(deployment, "one", "first"), set_(deployment, "two", "second")
    _swap(deployment, one.secret.version, two.secret.version)
    for made in (one, two):
        with pytest.raises(SealBroken, match=f"secret/{made.secret.name.upper()}/{made.secret.version}"):
            secrets.get(*who(deployment, made.secret.name))
    _swap(deployment, one.secret.version, two.secret.version)
    assert secrets.get(*who(deployment, "one")).value == "first"
    sealed = bytearray(secrets.get(*who(deployment, "one")).secret.sealed_value)
    sealed[-1] ^= 1
    with deployment.house.store.writing() as writer:
        statement = "UPDATE secret_version SET sealed_value = ? WHERE version = ?"
        writer._connection.exec_driver_sql(statement, (bytes(sealed), one.secret.version))  # type: ignore[attr-defined]
    with pytest.raises(SealBroken):
        secrets.get(*who(deployment, "one"))


def test_what_is_open_is_not_shown(deployment: Deployment) -> None:
    """`repr` keeps the value to itself."""
    assert "hush" not in repr(NewSecret("hush"))
    assert "hush" not in repr(set_(deployment))


def test_many_are_listed_by_name(deployment: Deployment) -> None:
    """Page after page, by upper-cased name."""
    for name in ("b", "A", "c", "D"):
        set_(deployment, name)
    secrets, at = deployment.house.secrets, who(deployment)[:2]
    found, after = [], None
    while True:
        page = secrets.list_(*at, after, 2)
        found += [item.head.name for item in page.items]
        after = page.next
        if after is None:
            break
    assert found == ["A", "b", "c", "D"]
