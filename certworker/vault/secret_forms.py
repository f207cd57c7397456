"""The two forms in which a certificate's secret is given: PKCS#12 and PEM, whichever its policy names."""

import base64

from certworker.crypto.conversions import pem_to_pkcs12, pkcs12_to_pem
from certworker.errors import BadParameter
from certworker.vault.objects import SecretVersion
from certworker.vault.policy import PEM, PKCS12

_FIELD = "outContentType"


def convert(secret: SecretVersion, value: str, content_type: str) -> str:
    """Give the value of a certificate's secret in another form, or as it is where it has that form. Raises BadParameter.

    What anybody has set as a secret is not opened: nobody has made sure that it is what its content type says.
    """
    if content_type not in {PEM, PKCS12}:
        raise BadParameter(f"{_FIELD} has the value {content_type[:40]!r}: it is {PKCS12} or {PEM}.", _FIELD)
    if not secret.managed:
        raise BadParameter(f"{_FIELD} is for the secret of a certificate, and {secret.name} belongs to none.", _FIELD)
    if content_type == secret.content_type:
        return value
    if content_type == PEM:
        return pkcs12_to_pem(base64.b64decode(value)).decode()
    return base64.b64encode(pem_to_pkcs12(value.encode())).decode()
