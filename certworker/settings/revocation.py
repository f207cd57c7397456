"""[revocation]: the watch over what CAs revoke."""

from pydantic import Field

from certworker.settings.section import Section


class RevocationSettings(Section):
    """[revocation]: how it is found out that a certificate, or what signed it, was revoked."""

    enabled: bool = Field(default=True, description="look at revocation lists and OCSP responders that certificates name")
    check_seconds: int = Field(
        21600, ge=60, le=86400, description="seconds after which a certificate is looked at again at the earliest, and a list"
    )
    timeout_seconds: float = Field(10.0, gt=0, le=20, description="seconds that a list or a responder's answer may take")
    list_bytes: int = Field(
        20 * 1024 * 1024, ge=1024, le=64 * 1024 * 1024, description="bytes that a revocation list has at the most"
    )
