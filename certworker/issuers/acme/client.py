"""The requests of one ACME account, each a single exchange that never sleeps."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from itertools import islice
from typing import Any
from urllib.parse import urljoin

import requests
from acme import errors, messages
from josepy.errors import Error as JoseError
from josepy.interfaces import JSONDeSerializable

from certworker.crypto.keys import base64url
from certworker.crypto.x509 import split_pem
from certworker.errors import BadParameter
from certworker.issuers.acme.problems import Garbled, NotOffered
from certworker.issuers.acme.resources import (
    Authorization,
    Challenge,
    Directory,
    Download,
    KnownAccount,
    Order,
    read_account,
    read_authorization,
    read_directory,
    read_order,
)
from certworker.issuers.acme.session import AcmeNetwork, host_of, json_or_none, read_json, scheme_of

PEM_CHAIN = "application/pem-certificate-chain"
LONGEST_URL = 2048
MAX_ALTERNATES = 5
"""So many other chains are looked at."""
TOKEN = re.compile(r"[A-Za-z0-9_-]{1,512}")
"""RFC 8555 section 8.3: base64url, and nothing that could lead to another path."""


class Payload(JSONDeSerializable):
    """The body of a request: the library signs whatever can show itself as JSON."""

    def __init__(self, **fields: Any) -> None:  # noqa: ANN401
        self._fields = fields

    def to_partial_json(self) -> dict[str, Any]:
        """Show the fields."""
        return self._fields

    @classmethod
    def from_json(cls, jobj: Any) -> "Payload":  # noqa: ANN401
        """Build from JSON; the library's interface asks for it."""
        return cls(**jobj)


class AcmeClient:
    """What one account asks one CA.

    Raises AcmeProblem where the CA says no, Garbled where its answer makes no sense, and the errors of `network/egress.py`.
    """

    def __init__(self, directory_url: str, network: AcmeNetwork, cached: Directory | None = None) -> None:
        self._url = directory_url
        self._network = network
        self._directory = cached
        self._cached = cached is not None

    def directory(self) -> Directory:
        """Read the directory, at most once."""
        if self._directory is None:
            with _library(self._url):
                answer = self._network.get(self._checked(self._url))
            self._directory = read_directory(read_json(answer), host_of(self._url))
        return self._directory

    def profiles(self, wanted: str) -> tuple[str, ...]:
        """Give the profiles that the CA lists. A directory that was read before, and lacks the one wanted, is read again."""
        if self._cached and wanted not in self.directory().profiles:
            self._cached, self._directory = False, None
        return self.directory().profiles

    def register(self, contacts: tuple[str, ...], binding: tuple[str, str] | None) -> KnownAccount:
        """Open the account, or find the one that this key has already (RFC 8555 section 7.3).

        `binding` is the external account, as `read_binding` gives it.
        """
        url = self.directory().new_account
        fields: dict[str, Any] = {"termsOfServiceAgreed": True}
        if contacts:
            fields["contact"] = urls_of(contacts)
        if binding:
            fields["externalAccountBinding"] = self._bind(binding, url)
        return self._account(self._post(url, Payload(**fields)))

    def find_account(self) -> KnownAccount:
        """Ask for the account that this key has, and open none (RFC 8555 section 7.3.1)."""
        return self._account(self._post(self.directory().new_account, Payload(onlyReturnExisting=True)))

    def update_contacts(self, account_url: str, contacts: tuple[str, ...]) -> None:
        """Tell the CA whom it may write to (RFC 8555 section 7.3.2)."""
        self._post(account_url, Payload(contact=urls_of(contacts)))

    def change_key(self, account_url: str, key: bytes) -> None:
        """Give the account another DER key, which signs too that it wants to (RFC 8555 section 7.3.5)."""
        url = self._offered(self.directory().key_change, "keyChange")
        self._post(url, Payload(**self._network.sign_change(account_url, key, url)))

    def revoke(self, certificate: bytes, reason: int) -> None:
        """Ask for the revocation of a DER certificate, as the account that it was issued to (RFC 8555 section 7.6)."""
        url = self._offered(self.directory().revoke_cert, "revokeCert")
        self._post(url, Payload(certificate=base64url(certificate), reason=reason))

    def place_order(self, names: tuple[str, ...], profile: str | None, replaces: str | None = None) -> Order:
        """Place an order (RFC 8555 section 7.4). `replaces` names a certificate (RFC 9773 section 5)."""
        fields: dict[str, Any] = {"identifiers": [_identifier(name) for name in names]}
        if profile:
            fields["profile"] = profile
        if replaces:
            fields["replaces"] = replaces
        answer = self._post(self.directory().new_order, Payload(**fields))
        return self._order(answer, self._location(answer))

    def look_at_order(self, url: str) -> Order:
        """Read an order."""
        return self._order(self._post(url), url)

    def look_at_authorization(self, url: str) -> Authorization:
        """Read an authorization."""
        return read_authorization(read_json(self._post(url)), host_of(url))

    @property
    def is_slow(self) -> bool:
        """Whether the CA has taken so long that the rest had better be another step's."""
        return self._network.is_slow

    def thumbprint(self) -> str:
        """Give the thumbprint of the key that signs (RFC 7638)."""
        return self._network.thumbprint()

    def deactivate(self, url: str) -> None:
        """Give up an authorization (RFC 8555 section 7.5.2)."""
        self._post(url, Payload(status="deactivated"))

    def key_authorization(self, challenge: Challenge) -> str:
        """Give the response to an http-01 challenge (RFC 8555 section 8.1). Raises Garbled for a token that is none."""
        if not TOKEN.fullmatch(challenge.token):
            raise Garbled(f"{host_of(challenge.url)} sent a challenge without a proper token.")
        return f"{challenge.token}.{self._network.thumbprint()}"

    def answer(self, challenge: Challenge) -> None:
        """Tell the CA that the response is up."""
        self._post(challenge.url, Payload())

    def finalize(self, order: Order, csr: bytes) -> Order:
        """Hand in the DER CSR."""
        return self._order(self._post(order.finalize, Payload(csr=base64url(csr))), order.url)

    def download(self, url: str) -> Download:
        """Fetch the certificate and its chain (RFC 8555 section 7.4.2)."""
        headers = {"Content-Type": AcmeNetwork.JOSE_CONTENT_TYPE, "Accept": PEM_CHAIN}
        answer = self._post(url, headers=headers)
        try:
            chain = split_pem(answer.content)
        except BadParameter as error:
            raise Garbled(f"{host_of(url)} sent something that is not a certificate.") from error
        return Download(chain, tuple(islice(_alternates(answer), MAX_ALTERNATES)))

    def _post(self, url: str, payload: Payload | None = None, **options: Any) -> requests.Response:  # noqa: ANN401
        nonces = self._checked(self.directory().new_nonce)
        with _library(url):
            return self._network.post(self._checked(url), payload, new_nonce_url=nonces, **options)

    def _checked(self, url: str) -> str:
        """Refuse what is no URL, and a way from https to anything else."""
        allowed = ("https",) if scheme_of(self._url) == "https" else ("https", "http")
        if scheme_of(url) not in allowed or len(url) > LONGEST_URL:
            raise Garbled(f"{host_of(self._url)} named a resource whose URL is not one of {' or '.join(allowed)}.")
        return url

    def _bind(self, binding: tuple[str, str], url: str) -> Mapping[str, Any]:
        where = messages.Directory({"newAccount": url})
        return messages.ExternalAccountBinding.from_data(self._network.jwk.public_key(), *binding, where)

    def _account(self, answer: requests.Response) -> KnownAccount:
        created = answer.status_code == HTTPStatus.CREATED
        return read_account(json_or_none(answer), self._location(answer), created=created)

    def _offered(self, url: str | None, name: str) -> str:
        if url is None:
            raise NotOffered(f"{host_of(self._url)} does not offer that: its directory has no {name}.")
        return url

    def _location(self, answer: requests.Response) -> str:
        location: str | None = answer.headers.get("Location")
        if not location:
            raise Garbled(f"{host_of(answer.url)} answered without the Location header that ACME asks for.")
        return self._checked(location)

    def _order(self, answer: requests.Response, url: str) -> Order:
        return read_order(read_json(answer), url, host_of(url), answer.headers.get("Retry-After"))


def urls_of(contacts: tuple[str, ...]) -> list[str]:
    """Say contacts as ACME has them: a mail address is a URL too."""
    return [contact if ":" in contact else f"mailto:{contact}" for contact in contacts]


def _alternates(answer: requests.Response) -> Iterator[str]:
    """Give the URLs of the links to other chains."""
    for link in requests.utils.parse_header_links(answer.headers.get("Link", "")):
        if "alternate" in link.get("rel", "").lower().split():
            with suppress(ValueError):
                yield urljoin(answer.url, link.get("url", ""))


@contextmanager
def _library(url: str) -> Iterator[None]:
    """Wrap what the libraries raise. Their texts hold headers and bodies, so they are not shown."""
    host = host_of(url)
    try:
        yield
    except errors.MissingNonce as error:
        raise Garbled(f"{host} answered without the Replay-Nonce header that ACME asks for.") from error
    except (errors.Error, JoseError) as error:
        raise Garbled(f"{host} answered in a way that ACME does not know ({type(error).__name__}).") from error
    except (requests.RequestException, BadParameter) as error:
        raise Garbled(f"{host} cannot be asked ({type(error).__name__}).") from error


def read_binding(credential: str) -> tuple[str, str]:
    """Read an external account, `kid:hmac`: its key id, and its HMAC key in base64url. Raises BadParameter."""
    key_id, _, hmac_key = credential.strip().rpartition(":")
    hmac_key = hmac_key.rstrip("=")
    try:
        usable = key_id and base64.b64decode(hmac_key + "=" * (-len(hmac_key) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        usable = b""
    if not usable:
        text = "The issuer's password is not an external account in the form kid:hmac, with the HMAC key in base64url."
        raise BadParameter(text, "credentials.pwd")
    return key_id, hmac_key


def _identifier(name: str) -> dict[str, str]:
    try:
        return {"type": "ip", "value": str(ipaddress.ip_address(name))}
    except ValueError:
        return {"type": "dns", "value": name}
