"""Which of the chains that a CA offers for a certificate is taken (RFC 8555 section 7.4.2)."""

from collections.abc import Iterator

from certworker.crypto.subjects import common_names
from certworker.crypto.x509 import order_chain, read_certificate
from certworker.errors import BadParameter, CertworkerError
from certworker.issuers.acme.client import AcmeClient
from certworker.issuers.acme.problems import clean

Chain = tuple[bytes, ...]


def fetch(client: AcmeClient, url: str, preferred: str) -> tuple[Chain, tuple[str, ...]]:
    """Fetch a certificate by the chain whose topmost issuer has the common name `preferred`; give what there is to warn about.

    Where none has, the CA's default is taken. So it is where another chain cannot be had: the certificate is the same.
    """
    default = client.download(url)
    if not preferred or leads_to(default.chain, preferred):
        return default.chain, ()
    missed: list[str] = []
    for chain in _others(client, default.alternates, missed):
        if chain[0] == default.chain[0] and leads_to(chain, preferred):
            return chain, ()
    failed = f" Some could not be had: {clean('; '.join(missed))}" if missed else ""
    text = f"None of the chains that the CA offers leads to {preferred!r}: its default chain was taken.{failed}"
    return default.chain, (text,)


def leads_to(chain: Chain, name: str) -> bool:
    """Say whether a chain's topmost certificate was issued by somebody of that common name; case does not matter."""
    try:
        topmost = (order_chain(chain[0], chain[1:]) or chain)[-1]
        return name.lower() in common_names(read_certificate(topmost).issuer)
    except BadParameter:
        return False


def _others(client: AcmeClient, urls: tuple[str, ...], missed: list[str]) -> Iterator[Chain]:
    for url in urls:
        try:
            yield client.download(url).chain
        except CertworkerError as error:
            missed.append(str(error))
