"""The built-in identity provider: OAuth 2.0 and OpenID Connect as Microsoft's speaks them."""

from certworker.api.identity.provider import IdentityProvider

__all__ = ["IdentityProvider"]
