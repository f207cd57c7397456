"""Nothing secret can be read in the files of the database, whatever form it would have there."""

import base64
import gc
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certworker.bootstrap import make_master_key, open_house, read_master_key
from certworker.crypto.keys import KeyKind, generate_key, load_private, private_pem
from certworker.settings import Seal, Settings
from certworker.vault.access import SERVICE
from certworker.vault.heads import begin_version
from certworker.vault.issuance import Account
from certworker.vault.issuers import Accounts, IssuerParameters
from certworker.vault.keyring import Keyring
from certworker.vault.objects import Attributes, KeyVersion, ObjectKind, new_version
from certworker.vault.policy import PEM, PKCS12, KeyProperties
from certworker.vault.secrets import NewSecret
from tests.support.clock import FakeClock
from tests.support.deployment import ISSUER, Deployment, open_deployment, policy_for

LEAST = 8
"""Shorter pieces could be anywhere by chance."""
PASSWORD = "kid:Qk9PTS1mYWtlLUhNQUMta2V5LW9mLWEtQ0E"


def forms_of(key: bytes) -> Iterator[bytes]:
    """List the forms in which a private key could lie somewhere."""
    numbers = load_private(key).private_numbers()
    if isinstance(numbers, ec.EllipticCurvePrivateNumbers):
        secret = [numbers.private_value]
    else:
        assert isinstance(numbers, rsa.RSAPrivateNumbers)
        secret = [numbers.d, numbers.p, numbers.q]
    for number in secret:
        raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
        yield from (raw, raw.hex().encode(), base64.b64encode(raw)[:-4], base64.urlsafe_b64encode(raw)[:-4])
    yield from (key, key[26:], base64.b64encode(key), b"".join(private_pem(key).splitlines()[1:-1]))
    yield from (line for line in private_pem(key).splitlines()[1:-1] if len(line) >= LEAST)


def forms_of_bytes(secret: bytes) -> Iterator[bytes]:
    """List the forms in which a value, or the octets of a key, could lie somewhere."""
    yield from (secret, secret.hex().encode(), base64.b64encode(secret)[:-4], base64.urlsafe_b64encode(secret)[:-4])
    yield from (secret[:LEAST], secret[-LEAST:], json.dumps(secret.decode("latin-1")).encode()[1:-1])


def database_files(folder: Path) -> dict[str, bytes]:
    """Read the database's files, the write-ahead log and journals among them."""
    files = {file.name: file.read_bytes() for file in folder.glob("certworker.db*")}
    assert "certworker.db-wal" in files
    return files


def check_unreadable(folder: Path, *secrets: bytes) -> None:
    """Look for secrets in the files as they are now, with everything in them that was ever written."""
    for name, content in database_files(folder).items():
        for number, secret in enumerate(secrets):
            assert len(secret) >= LEAST
            assert secret not in content, f"secret {number} is in {name}"


@pytest.mark.parametrize("content_type", [PKCS12, PEM])
@pytest.mark.parametrize("key", [KeyProperties(), KeyProperties("EC", None, "P-256"), KeyProperties(exportable=False)])
def test_keys_and_secrets_are_sealed(
    deployment: Deployment, tmp_path: Path, clock: FakeClock, content_type: str, key: KeyProperties
) -> None:
    """From the pending key to the finished version, the old one and the new one."""
    keys = []
    deployment.create("web", policy_for("web.test", content_type=content_type, key=key))
    keys.append(deployment.house.materials.private(deployment.operation("web")))
    check_unreadable(tmp_path, *forms_of(keys[0]))
    deployment.work()
    clock.advance(timedelta(days=70))
    deployment.work()
    keys.append(deployment.house.materials.private(deployment.operation("web")))
    assert len(set(keys)) == len(deployment.versions("web")) == 2
    for version in deployment.versions("web"):
        value = deployment.house.secrets.get(deployment.administrator, deployment.vault, "web", version).value.encode()
        decoded = base64.b64decode(value) if content_type == PKCS12 else value
        check_unreadable(tmp_path, value, decoded, value[:60], decoded[-60:])
    check_unreadable(tmp_path, *(form for key in keys for form in forms_of(key)), b"PRIVATE KEY")


def test_what_is_set_is_nowhere(deployment: Deployment, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Values of secrets: set, changed, deleted, backed up and restored; not in the database, its log, ours, or a backup."""
    house, who = deployment.house, (deployment.administrator, deployment.vault)
    values = ("correct horse battery staple", 'Pa\u00df\'w\u00f6rd "with" quotes', "x-marks-the-spot " * 1000)
    with caplog.at_level(logging.DEBUG):
        for value in values:
            house.secrets.set(*who, "db", NewSecret(value, expires=deployment.house.clock()))
        deployment.work()
        backup = house.backups.secrets.backup(*who, "db")
        house.secrets.delete(*who, "db")
        house.secrets.purge(*who, "db")
        house.backups.secrets.restore(*who, backup)
        assert house.secrets.get(*who, "db").value == values[-1]
    told = (caplog.text + repr(deployment.events())).encode()
    forms = [form for value in values for form in forms_of_bytes(value.encode())]
    check_unreadable(tmp_path, *forms)
    for form in forms:
        assert form not in backup
        assert form not in told


@pytest.mark.parametrize("kind", [KeyKind("RSA", 2048), KeyKind("EC", curve="P-384"), KeyKind("oct", 256)])
def test_a_key_is_nowhere(deployment: Deployment, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: KeyKind) -> None:
    """Neither as PKCS#8, nor as PEM, nor its raw numbers or octets."""
    house, vault, version, at = deployment.house, deployment.vault, new_version(), deployment.house.clock()
    with caplog.at_level(logging.DEBUG):
        made = house.materials.make(vault, "sign", version, kind)
        material = (made.kty, made.public_key, made.sealed_key)
        key = KeyVersion(vault.id, "sign", version, *material, ("sign", "verify"), Attributes(at, at), exportable=False)
        with house.store.writing() as writer:
            begin_version(writer, vault, ObjectKind.KEY, "sign", version, at)
            writer.add_key(key)
        backup = house.backups.keys.backup(deployment.administrator, vault, "sign")
        with house.store.writing() as writer:
            writer.purge(vault.id, ObjectKind.KEY, "sign")
        restored = house.backups.keys.restore(deployment.administrator, vault, backup)
    private = house.materials.private(restored)
    forms = list(forms_of_bytes(private) if kind.kty == "oct" else forms_of(private))
    check_unreadable(tmp_path, *forms, b"PRIVATE KEY")
    told = (caplog.text + repr(deployment.events()) + repr(house.materials.use(restored))).encode()
    for form in forms:
        assert form not in backup
        assert form not in told


def test_credentials_are_sealed_or_hashed(tmp_path: Path, clock: FakeClock) -> None:
    """The issuer's password, the account's key, the signing key and the client secret."""
    settings = Settings(database_url=f"sqlite:///{tmp_path}/certworker.db", seal=Seal(master_key_file=tmp_path / "master.key"))
    make_master_key(settings.seal.master_key_file)
    with open_house(settings, clock) as house:
        founded = house.founding.found("contoso", "administrator")
        _, renewed = house.founding.renew_secret()
        for secret in (founded.client_secret, renewed):
            check_unreadable(tmp_path, secret.encode(), base64.urlsafe_b64decode(secret + "="))
        issuer = house.issuers.set(SERVICE, founded.vault, "my-ca", IssuerParameters("Acme", "https://ca", PASSWORD))
        assert house.issuers.credential(issuer) == PASSWORD
        check_unreadable(tmp_path, PASSWORD.encode(), base64.b64encode(PASSWORD.encode())[:-4], PASSWORD[4:].encode())
        master = read_master_key(settings.seal.master_key_file)
        accounts, key = Accounts(house.store, Keyring(house.store, master)), generate_key("EC", None, "P-256")
        accounts.keep(founded.vault.id, "my-ca", "https://ca", Account(key))
        accounts.update(founded.vault.id, "my-ca", "https://ca", Account(key, "https://ca/account/1"))
        found = accounts.find(founded.vault.id, "my-ca", "https://ca")
        assert found == Account(key, "https://ca/account/1")
        check_unreadable(tmp_path, *forms_of(key), b"PRIVATE KEY")
        master_key = bytes.fromhex((tmp_path / "master.key").read_text())
        check_unreadable(tmp_path, master_key, master_key.hex().encode(), base64.b64encode(master_key)[:-4])


def test_files_are_for_their_owner_only(deployment: Deployment, tmp_path: Path) -> None:
    """The database, its journals and the master key."""
    deployment.create("web", policy_for("web.test", "Self"))
    for file in [*tmp_path.glob("certworker.db*"), tmp_path / "master.key"]:
        assert file.stat().st_mode & 0o077 == 0, file


def test_what_is_open_is_not_shown(deployment: Deployment) -> None:
    """`repr` of an opened secret, and of what the first start made, keeps the value to itself."""
    deployment.create("web", policy_for("web.test", "Self", content_type=PEM))
    opened = deployment.house.secrets.get(deployment.administrator, deployment.vault, "web")
    assert "PRIVATE KEY" in opened.value
    assert "PRIVATE" not in repr(opened)
    gc.collect()


def test_a_credential_is_replaced_kept_or_ended(tmp_path: Path, clock: FakeClock) -> None:
    """Setting an issuer without a credential keeps the stored one; an empty one ends it."""
    with open_deployment(tmp_path, clock) as deployment:
        issuers = deployment.house.issuers
        steps = (("first", "first"), (None, "first"), ("second", "second"), ("", None))
        for given, kept in steps:
            parameters = IssuerParameters("Scripted", credential=given)
            issuer = issuers.set(deployment.administrator, deployment.vault, ISSUER.upper(), parameters)
            assert issuer.name == ISSUER
            assert issuers.credential(issuers.get(deployment.administrator, deployment.vault, ISSUER)) == kept
