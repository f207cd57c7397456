"""The one table of errors."""

import inspect
import logging
from datetime import timedelta

import pytest
from pydantic import ValidationError

from certworker import errors
from certworker.api.auth import Challenged
from certworker.api.errors import API_TABLE, INTERNAL, TABLE, TooLarge, error_response, explain, row_of
from certworker.api.wire_certificates import CreateBody

OURS = {errors.CertworkerError, errors.SealBroken, errors.SetupError, errors.SettingsError}
"""What tells of the deployment, and is not for a caller's eyes."""


def error_classes() -> list[type[errors.CertworkerError]]:
    """Find the whole tree."""
    return [found for _, found in inspect.getmembers(errors, inspect.isclass) if issubclass(found, errors.CertworkerError)]


def test_every_error_has_a_row_or_is_ours() -> None:
    """A new error is either put into the table, or deliberately kept from callers."""
    for error_class in error_classes():
        row = next((TABLE[ancestor] for ancestor in error_class.__mro__ if ancestor in TABLE), None)
        assert (row is None) == (error_class in OURS), error_class


@pytest.mark.parametrize(
    ("error", "row"),
    [
        (errors.KeyMismatch("x"), (400, "BadParameter", None)),
        (errors.Disabled("x"), (403, "Forbidden", "SecretDisabled")),
        (errors.Forbidden("x"), (403, "Forbidden", "AccessDenied")),
        (errors.OperationNotFound("x"), (404, "PendingCertificateNotFound", None)),
        (errors.DeletedButRecoverable("x"), (409, "Conflict", "ObjectIsDeletedButRecoverable")),
        (errors.NotDeleted("x"), (400, "MethodNotAllowed", "RequestNotAllowedOnNonDeletedObject")),
        (TooLarge("x"), API_TABLE[TooLarge]),
        (ValueError("x"), INTERNAL),
    ],
)
def test_an_error_takes_the_nearest_row(error: Exception, row: tuple[int, str, str | None]) -> None:
    """The nearest ancestor decides."""
    assert row_of(error) == row


@pytest.mark.parametrize("error", [RuntimeError("password=hush"), errors.SealBroken("at place hush")])
def test_what_is_ours_tells_the_caller_nothing(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """The answer names the request id, under which the log has the rest."""
    with caplog.at_level(logging.ERROR):
        answer = error_response(error, "id-1")
    assert answer.status_code == 500
    assert b"hush" not in answer.body
    assert b"id-1" in answer.body
    assert "request id-1 failed" in caplog.text
    assert "hush" in caplog.text


def test_headers_go_with_their_errors() -> None:
    """A challenge, a time to wait, and the end of a connection whose body is not read."""
    assert error_response(Challenged("x", "Bearer a"), "").headers["www-authenticate"] == "Bearer a"
    busy = error_response(errors.Unavailable("x", timedelta(seconds=7)), "")
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "7")
    assert int(error_response(errors.Unavailable("x"), "").headers["retry-after"]) > 0
    assert error_response(TooLarge("x"), "").headers["connection"] == "close"


def test_a_wrong_type_is_told_by_its_field_and_never_repeated() -> None:
    """The path of the field and what would be right, but not what was sent."""
    body = b'{"policy": {"x509_props": {"validity_months": "hush"}}, "tags": {"a": 1}}'
    with pytest.raises(ValidationError) as caught:
        CreateBody.model_validate_json(body)
    error = explain(caught.value)
    assert str(error) == (
        "policy.x509_props.validity_months: input should be a valid integer; tags.a: input should be a valid string."
    )
    assert error.field == "policy.x509_props.validity_months"
