"""Nothing secret can be read in the files of the database, whatever form it would have there."""

import base64
import gc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certworker.bootstrap import make_master_key, open_house, read_master_key
from certworker.crypto.keys import generate_key, load_private, private_pem
from certworker.settings import Seal, Settings
from certworker.vault.access import SERVICE
from certworker.vault.issuance import Account
from certworker.vault.issuers import Accounts, IssuerParameters
from certworker.vault.keyring import Keyring
from certworker.vault.policy import PEM, PKCS12, KeyProperties
from tests.support.clock import FakeClock
from tests.support.deployment import ISSUER, Deployment, open_deployment, policy_for

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
    yield from private_pem(key).splitlines()[1:-1]


def database_files(folder: Path) -> dict[str, bytes]:
    """Read the database's files, the write-ahead log and journals among them."""
    files = {file.name: file.read_bytes() for file in folder.glob("certworker.db*")}
    assert "certworker.db-wal" in files
    return files


def check_unreadable(folder: Path, *secrets: bytes) -> None:
    """Look for secrets in the files as they are now, with everything in them that was ever written."""
    for name, content in database_files(folder).items():
        for number, secret in enumerate(secrets):
            assert len(secret) >= 8
            assert secret not in content, f"secret {number} is in {name}"


@pytest.mark.parametrize("content_type", [PKCS12, PEM])
@pytest.mark.parametrize("key", [KeyProperties(), KeyProperties("EC", None, "P-256"), KeyProperties(exportable=False)])
def test_keys_and_secrets_are_sealed(
    deployment: Deployment, tmp_path: Path, clock: FakeClock, content_type: str, key: KeyProperties
) -> None:
    """From the pending key to the finished version, the old one and the new one."""
    keys = []
    deployment.create("web", policy_for("web.test", content_type=content_type, key=key))
    keys.append(deployment.house.issuances._drafts.private_key(deployment.operation("web")))
    check_unreadable(tmp_path, *forms_of(keys[0]))
    deployment.work()
    clock.advance(timedelta(days=70))
    deployment.work()
    keys.append(deployment.house.issuances._drafts.private_key(deployment.operation("web")))
    assert len(set(keys)) == len(deployment.versions("web")) == 2
    for version in deployment.versions("web"):
        value = deployment.house.secrets.get(deployment.administrator, deployment.vault, "web", version).value.encode()
        decoded = base64.b64decode(value) if content_type == PKCS12 else value
        check_unreadable(tmp_path, value, decoded, value[:60], decoded[-60:])
    check_unreadable(tmp_path, *(form for key in keys for form in forms_of(key)), b"PRIVATE KEY")


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
