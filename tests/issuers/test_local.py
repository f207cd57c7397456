"""The deployment's own root."""

from datetime import timedelta

from certworker.crypto.keys import public_der
from certworker.crypto.x509 import order_chain, read_certificate, validity
from certworker.issuers.local import LocalProvider
from certworker.vault.issuance import IssuanceRequest, Issued, Rejected
from tests.issuers.journey import KEY, NOON, make_request
from tests.issuers.memory import MemoryAccounts

REQUEST = make_request("", "server.example.test")


def issue(provider: LocalProvider, request: IssuanceRequest = REQUEST) -> Issued:
    """Get a certificate at once."""
    result = provider.step(request, None, NOON)
    assert isinstance(result, Issued), result
    return result


def test_a_leaf_is_issued_at_once() -> None:
    """The leaf is for the key and the names of the request, valid from a little before now, under the root."""
    leaf, root = issue(LocalProvider(MemoryAccounts(), timedelta(days=1))).chain
    facts = read_certificate(leaf)
    assert facts.public_key == public_der(KEY)
    assert facts.names.dns_names == ("server.example.test",)
    assert validity(leaf) == (NOON - timedelta(minutes=10), NOON + timedelta(days=1))
    assert order_chain(leaf, [root]) == (root,)


def test_the_root_is_an_authority_for_ten_years() -> None:
    """It may sign certificates and CRLs and nothing else."""
    provider = LocalProvider(MemoryAccounts(), timedelta(days=1))
    facts = read_certificate(provider.root_certificate("vault", "ca", NOON))
    assert facts.subject == "CN=certworker local root"
    assert facts.is_authority
    assert set(facts.key_usage) == {"keyCertSign", "cRLSign"}
    assert facts.not_after - NOON >= timedelta(days=3650)


def test_the_root_stays_the_same() -> None:
    """A second process finds the root of the first; another issuer has another."""
    accounts = MemoryAccounts()
    first = LocalProvider(accounts, timedelta(days=1)).root_certificate("vault", "ca", NOON)
    second = LocalProvider(accounts, timedelta(days=1))
    assert issue(second).chain[1] == second.root_certificate("vault", "ca", NOON) == first
    assert second.root_certificate("vault", "other", NOON) != first


def test_a_leaf_never_outlives_the_root() -> None:
    """Its validity is cut, and an expired root signs nothing."""
    provider = LocalProvider(MemoryAccounts(), timedelta(days=10_000))
    root_end = validity(provider.root_certificate("vault", "ca", NOON))[1]
    assert validity(issue(provider).chain[0])[1] == root_end
    assert isinstance(provider.step(REQUEST, None, root_end), Rejected)


def test_a_request_that_is_none_is_rejected() -> None:
    """Bytes that are no CSR blame the request."""
    broken = IssuanceRequest("operation", "vault", "ca", "", None, b"no csr", (), None)
    result = LocalProvider(MemoryAccounts(), timedelta(days=1)).step(broken, None, NOON)
    assert isinstance(result, Rejected)
    assert result.configuration
