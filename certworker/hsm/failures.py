"""What a token's errors mean: a session that is no more, a key that was found earlier, or what was asked for."""

from typing import Final

from pkcs11 import exceptions


class TokenGone(exceptions.PKCS11Error):
    """The token is not there, or does not answer."""


class PinRefused(exceptions.PKCS11Error):
    """The token refuses the PIN. It is not tried again: a token counts, and locks itself."""


STALE: Final = (exceptions.ObjectHandleInvalid, exceptions.KeyHandleInvalid)
"""A key that was found earlier is not there any more, or was found before the token was opened again."""

UNCLEAR: Final = (exceptions.GeneralError, exceptions.FunctionFailed, exceptions.DeviceError)
"""Said of a broken token, and by some of an input that cannot be."""

TROUBLE: Final = (
    *STALE,
    *UNCLEAR,
    TokenGone,
    exceptions.DeviceMemory,
    exceptions.DeviceRemoved,
    exceptions.HostMemory,
    exceptions.OperationActive,
    exceptions.OperationNotInitialized,
    exceptions.SessionClosed,
    exceptions.SessionCount,
    exceptions.SessionHandleInvalid,
    exceptions.SlotIDInvalid,
    exceptions.TokenNotPresent,
    exceptions.TokenNotRecognised,
    exceptions.UserNotLoggedIn,
)
"""A session after which another one is tried."""

PARAMETER_REFUSED: Final = (exceptions.ArgumentsBad, exceptions.MechanismInvalid, exceptions.MechanismParamInvalid)
"""A mechanism that the token has, but not in this way."""

INPUT_REFUSED: Final = (
    exceptions.DataInvalid,
    exceptions.DataLenRange,
    exceptions.EncryptedDataInvalid,
    exceptions.EncryptedDataLenRange,
    exceptions.WrappedKeyInvalid,
    exceptions.WrappedKeyLenRange,
)


def is_trouble(error: exceptions.PKCS11Error) -> bool:
    """Tell whether another session may do better. What python-pkcs11 has no name for is a library that is not open."""
    return isinstance(error, TROUBLE) or type(error) is exceptions.PKCS11Error
