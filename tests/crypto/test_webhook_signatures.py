"""Signatures of webhooks."""

from certworker.crypto.webhook_signatures import read_secrets, sign


def test_a_signature_is_as_others_make_it() -> None:
    """The example that the libraries of Standard Webhooks are tested by."""
    secrets = read_secrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
    signature = sign(secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
