"""What this API is sent. Times are seconds since 1970."""

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ca_sim.globalsign.errors import UnprocessableError

MAX_NAMES = 100
MAX_TEXT = 256
MAX_PEM = 16 * 1024
LATEST = 253_402_300_799

Text = Annotated[str, Field(max_length=MAX_TEXT)]
Texts = Annotated[tuple[Text, ...], Field(max_length=MAX_NAMES)]
Epoch = Annotated[int, Field(strict=True, ge=0, le=LATEST)]
Shape = TypeVar("Shape", bound="Body")


class Body(BaseModel):
    """A body. Members that are not known are refused: a misspelt one would change what is issued."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LogIn(Body):
    """POST /login."""

    api_key: Text
    api_secret: Annotated[str, Field(max_length=MAX_TEXT, repr=False)]


class Validity(Body):
    """From when until when; a `not_after` of 0 is as long as the policy takes."""

    not_before: Epoch
    not_after: Epoch = 0


class SubjectDn(Body):
    """The subject; which fields may be given is the policy's to say."""

    common_name: Text | None = None
    organization: Text | None = None
    organizational_unit: Texts = ()
    street_address: Text | None = None
    locality: Text | None = None
    state: Text | None = None
    postal_code: Text | None = None
    country: Text | None = None


class San(Body):
    """The alternative names."""

    dns_names: Texts = ()
    ip_addresses: Texts = ()
    emails: Texts = ()
    uris: Texts = ()


class CertificateRequest(Body):
    """POST /certificates. `public_key` is a PEM public key, or a PEM CSR where the policy wants one."""

    validity: Validity
    subject_dn: SubjectDn = SubjectDn()
    san: San = San()
    extended_key_usages: Texts = ()
    public_key: Annotated[str, Field(max_length=MAX_PEM)]
    public_key_signature: Annotated[str, Field(max_length=MAX_PEM)] | None = None


class Revocation(Body):
    """PATCH /certificates/{serial}. The reason is a word of RFC 5280 section 5.3.1; the time must not lie in the future."""

    revocation_reason: Text = "unspecified"
    revocation_time: Epoch = 0


class Assertion(Body):
    """POST /claims/domains/{id}/http and /dns. Without a domain, it is the claim's own."""

    authorization_domain: Text | None = None
    scheme: Text = "HTTP"


def read(shape: type[Shape], body: bytes) -> Shape:
    """Read a body. Raises UnprocessableError that names the member at fault."""
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "the body"
        raise UnprocessableError(f"{where}: {fault['msg']}") from error
