"""External accounts: who a new ACME account belongs to outside of ACME, shown with a MAC key (RFC 8555 section 7.3.4)."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from ca_sim.acme.jose import MAC_ALGORITHMS, Jws, decode, public_jwk, read_json, read_jwk, read_jws
from ca_sim.acme.objects import Account, Status
from ca_sim.book import Book
from ca_sim.problems import Document, ExternalAccountRequiredError, MalformedError, UnauthorizedError

ROOM = "acme.external_accounts"


@dataclass(frozen=True, slots=True)
class Binding:
    """A binding that was found right: the identifier of the MAC key, and the JWS as it came."""

    kid: str
    document: Document


class ExternalAccounts:
    """The external accounts by the identifiers of their MAC keys (in base64url). Each binds one account at a time.

    A binding is looked at when an account is made, and never again: an account outlives a MAC key that is replaced or removed.
    """

    def __init__(self, book: Book, keys: Mapping[str, SecretStr], *, required: bool) -> None:
        self._book = book
        self._keys = keys
        self._required = required

    def check(self, document: Document | None, *, jwk: dict[str, str], url: str) -> Binding | None:
        """Check what a new account is bound with; `jwk` and `url` are those of the outer JWS. None is no binding.

        Raises ExternalAccountRequiredError, MalformedError, BadSignatureAlgorithmError or UnauthorizedError.
        """
        if document is None:
            if self._required:
                raise ExternalAccountRequiredError("bind the account to an external one: externalAccountBinding is missing")
            return None
        if not self._keys:
            return None  # it is not verified, and so must not be reflected
        jws = read_jws(document, MAC_ALGORITHMS)
        kid = _kid(jws, url)
        key = self._keys.get(kid)
        if key is None:
            raise UnauthorizedError("externalAccountBinding: no external account has this kid")
        jws.verify_mac(decode(key.get_secret_value(), "the MAC key"))
        if public_jwk(read_jwk(read_json(jws.payload, "the payload of externalAccountBinding"))) != jwk:
            raise MalformedError("the payload of externalAccountBinding is not the account's key")
        self._check_free(kid)
        return Binding(kid, document)

    def bind(self, binding: Binding, account: Account) -> None:
        """Write down whom the external account binds. Call it in the transaction that writes the account."""
        self._book.put_document(ROOM, binding.kid, account.id)

    def _check_free(self, kid: str) -> None:
        account_id = self._book.document(ROOM, kid)
        holder = self._book.account(account_id) if account_id else None
        if holder is not None and holder.status is Status.VALID:
            raise UnauthorizedError("the external account binds another account: deactivate that one first")


def _kid(jws: Jws, url: str) -> str:
    """Give the key identifier of a protected header that is as section 7.3.4 wants it."""
    kid = jws.header.get("kid")
    if not isinstance(kid, str):
        raise MalformedError("the protected header of externalAccountBinding has no kid")
    if jws.header.get("url") != url:
        raise MalformedError("the url of externalAccountBinding is not that of the request")
    if "nonce" in jws.header:
        raise MalformedError("the protected header of externalAccountBinding has a nonce")
    return kid
