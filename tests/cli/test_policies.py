"""What the options say, as a policy."""

import pytest
import typer

from certworker.cli.policies import KeyType, Request, policy_of


@pytest.mark.parametrize(
    ("request_", "key"),
    [
        (Request("CN=a"), {"kty": "RSA", "exportable": True, "key_size": 2048}),
        (Request("CN=a", curve="P-384"), {"kty": "EC", "exportable": True, "crv": "P-384"}),
        (Request("CN=a", not_exportable=True), {"kty": "RSA", "exportable": False, "key_size": 2048}),
        (Request("CN=a", key_type=KeyType.RSA_HSM, key_size=3072), {"kty": "RSA-HSM", "exportable": False, "key_size": 3072}),
        (Request("CN=a", key_type=KeyType.EC_HSM), {"kty": "EC-HSM", "exportable": False, "crv": "P-256"}),
    ],
    ids=["plain", "curve", "not exportable", "RSA-HSM", "EC-HSM"],
)
def test_the_key_is_as_asked_for(request_: Request, key: dict[str, object]) -> None:
    """Type, size or curve; and a key in a token is never exportable."""
    assert policy_of(request_, "Self")["key_props"] == key


@pytest.mark.parametrize(
    "request_",
    [Request("CN=a", key_type=KeyType.EC_HSM, key_size=2048), Request("CN=a", key_type=KeyType.RSA_HSM, curve="P-256")],
    ids=["EC with a size", "RSA with a curve"],
)
def test_what_contradicts_itself_is_refused(request_: Request) -> None:
    """A size is for RSA and a curve is for EC, in a token as well."""
    with pytest.raises(typer.BadParameter):
        policy_of(request_, "Self")
