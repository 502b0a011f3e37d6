"""What an id_token must be before anything in it is believed."""

from __future__ import annotations

import secrets
from typing import Any

import jwt
from allauth.socialaccount.providers.oauth2.client import OAuth2Error

# Signatures by a key pair only: a shared secret (HS256) or none at all would let others than the provider sign.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
LEEWAY_S = 60  # by which clocks may differ
REQUIRED = ["exp", "iat", "iss", "aud", "sub"]


def verified(token: str, jwks: dict[str, Any], *, issuer: str, client_id: str, nonce: str) -> dict[str, Any]:
    """The claims of a token of this issuer, for this client, for this very sign-in. Raises OAuth2Error."""
    try:
        key = _key(token, jwks)
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            audience=client_id,
            issuer=issuer,
            leeway=LEEWAY_S,
            options={"require": REQUIRED},
        )
    except (jwt.PyJWTError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise OAuth2Error(f"the id_token: {type(error).__name__}") from error
    if not nonce or not secrets.compare_digest(str(claims.get("nonce", "")), nonce):
        raise OAuth2Error("the id_token: another nonce")
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else client_id) != client_id:
        raise OAuth2Error("the id_token: made for another client")
    if not isinstance(claims["sub"], str) or not claims["sub"]:
        raise OAuth2Error("the id_token: no subject")
    return claims


def _key(token: str, jwks: dict[str, Any]) -> Any:
    """The provider's key that the token says it is signed with; its only one, where it does not say."""
    kid = jwt.get_unverified_header(token).get("kid")
    keys = [key for key in jwt.PyJWKSet.from_dict(jwks).keys if key.public_key_use in (None, "sig")]
    found = [key for key in keys if kid is None or key.key_id == kid]
    if len(found) != 1:
        raise OAuth2Error("the id_token: no key of the provider fits")
    return found[0].key
