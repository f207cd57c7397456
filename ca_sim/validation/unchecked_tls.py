"""TLS to a server that is only just being validated: it cannot have a certificate to be checked by."""

import ssl


def unchecked_context(*protocols: str) -> ssl.SSLContext:
    """Make a context that takes any certificate and offers these protocols (ALPN)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context
