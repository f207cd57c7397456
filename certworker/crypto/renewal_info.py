"""How a CA is told which certificate is meant when renewal is spoken of (RFC 9773)."""

from cryptography import x509

from certworker.crypto.keys import base64url


def certificate_id(der: bytes) -> str | None:
    """Name a DER certificate by its authority's key and its serial number (RFC 9773 section 4.1).

    None where it does not say by which key it was signed, or cannot be read.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        authority = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except (ValueError, x509.ExtensionNotFound):
        return None
    if not authority:
        return None
    # the content of the DER INTEGER: one byte more where the first bit would make it negative
    serial = certificate.serial_number
    return f"{base64url(authority)}.{base64url(serial.to_bytes(serial.bit_length() // 8 + 1))}"
