"""Which plane a host stands for."""

import pytest

from certworker.api.hosts import Place, Plane, place_of


@pytest.mark.parametrize(
    ("host", "plane", "vault"),
    [
        ("contoso.vault.localhost:8443", Plane.VAULT, "contoso"),
        ("CONTOSO.Vault.LocalHost", Plane.VAULT, "contoso"),
        ("contoso.vault.localhost.:8443", Plane.VAULT, "contoso"),
        ("login.localhost:8443", Plane.LOGIN, ""),
        ("management.localhost", Plane.MANAGEMENT, ""),
        ("graph.localhost", Plane.GRAPH, ""),
        ("localhost:8443", Plane.BARE, ""),
        ("127.0.0.1:8443", Plane.BARE, ""),
        ("[::1]:8443", Plane.BARE, ""),
        ("vault.localhost", Plane.UNKNOWN, ""),
        ("a.b.vault.localhost", Plane.UNKNOWN, ""),
        ("vault.example", Plane.UNKNOWN, ""),
        ("evil.example", Plane.UNKNOWN, ""),
        ("", Plane.UNKNOWN, ""),
        ("login.localhost@evil.example", Plane.UNKNOWN, ""),
        ("login.localhost/x", Plane.UNKNOWN, ""),
    ],
)
def test_a_host_stands_for_a_plane(host: str, plane: Plane, vault: str) -> None:
    """Case, a trailing dot and the port do not matter; what is not ours is unknown."""
    place = place_of(host, "localhost")
    assert (place.plane, place.vault_name) == (plane, vault)


def test_links_are_on_the_host_as_it_was_called() -> None:
    """The port that a client wrote is the port it is given back."""
    assert place_of("contoso.vault.localhost:9000", "localhost").url == "https://contoso.vault.localhost:9000"


def test_another_domain_has_its_own_names() -> None:
    """The deployment's domain decides, and localhost is bare wherever it runs."""
    assert place_of("contoso.vault.kv.example", "kv.example") == Place(Plane.VAULT, "contoso.vault.kv.example", "contoso")
    assert place_of("contoso.vault.localhost", "kv.example").plane is Plane.UNKNOWN
    assert place_of("localhost", "kv.example").plane is Plane.BARE
