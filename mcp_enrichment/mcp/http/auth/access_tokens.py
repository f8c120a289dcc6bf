"""Verifies access tokens: JSON Web Tokens of an OAuth 2.1 issuer for this server (RFC 9068)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import jwt

from mcp_enrichment.contract.digests import sha256_of
from mcp_enrichment.mcp.http.auth.principal import Principal, Scope

logger = logging.getLogger(__name__)

ALGORITHMS = frozenset(
    "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA".split()  # noqa: SIM905
)
"""Asymmetric signatures only: a party that can verify a symmetric one can also forge it."""
LEEWAY = 30.0
"""Seconds by which the issuer's clock may differ from ours."""
MAX_TOKEN = 16 * 1024
"""Characters."""
MAX_KEYS_TRIED = 5
"""Keys with one `kid`. A token without a `kid` needs an issuer with few keys."""
_JWT = jwt.PyJWT(options={"enforce_minimum_key_length": True})
_REQUIRED = ["exp", "iss", "aud"]

KeysFor = Callable[[str | None], Awaitable[Sequence[Mapping[str, Any]]]]
"""The issuer's keys of this `kid`, as JSON Web Keys. Raises `ServiceUnavailable`."""


class _InvalidToken(Exception):
    """The token is not valid. The sentence contains nothing of it."""


UNREADABLE = "a credential was refused: it is no key of a team, and no token that can be read"
NO_KEY = "a token was refused: no key of the issuer's has signed it"
NO_ALGORITHM = "a token was refused: its algorithm is not accepted"
NO_SUBJECT = "a token was refused: it names no subject and no client"
REASONS: Mapping[type[Exception], str] = {
    jwt.ExpiredSignatureError: "a token was refused: it has expired",
    jwt.ImmatureSignatureError: "a token was refused: it is not valid yet",
    jwt.InvalidAudienceError: (
        "a token was refused: its audience is neither ENRICHMENT_OAUTH_AUDIENCE nor, without that, "
        "the URL of this server"
    ),
    jwt.InvalidIssuerError: "a token was refused: its issuer is not ENRICHMENT_OAUTH_ISSUER",
    jwt.MissingRequiredClaimError: "a token was refused: it has no exp, no iss or no aud",
}
"""For the log. The messages of the library may quote the token."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenVerifier:
    """Verifies tokens of one issuer for one audience."""

    issuer: str
    audience: str
    keys_for: KeysFor

    async def verify(self, token: str) -> Principal | None:
        """The principal of the token; None if it is not valid.

        Raises `ServiceUnavailable` if the issuer's keys cannot be fetched.
        """
        if len(token) > MAX_TOKEN:
            return None
        try:
            algorithm, key_id = _header_of(token)
            keys = [k for k in await self.keys_for(key_id) if k.get("alg", algorithm) == algorithm]
            return _principal(self._claims(token, keys[:MAX_KEYS_TRIED], algorithm))
        except _InvalidToken as error:
            logger.warning(str(error))
        except (jwt.PyJWTError, ValueError) as error:
            logger.warning(REASONS.get(type(error), UNREADABLE))
        return None

    def _claims(
        self, token: str, keys: Sequence[Mapping[str, Any]], algorithm: str
    ) -> dict[str, Any]:
        for key in keys:
            with suppress(jwt.InvalidSignatureError, jwt.InvalidKeyError):
                return _JWT.decode(
                    token,
                    jwt.PyJWK(dict(key), algorithm),
                    algorithms=[algorithm],
                    audience=self.audience,
                    issuer=self.issuer,
                    leeway=LEEWAY,
                    options={"require": _REQUIRED},
                )
        raise _InvalidToken(NO_KEY)


def _header_of(token: str) -> tuple[str, str | None]:
    """The algorithm and the `kid` of the token, before it is verified."""
    header = jwt.get_unverified_header(token)
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS or not isinstance(key_id, str | None):
        raise _InvalidToken(NO_ALGORITHM)
    return algorithm, key_id


def _principal(claims: Mapping[str, Any]) -> Principal:
    """The principal of these claims. Its name is a hash: no personal data."""
    subject = next((claims[name] for name in ("sub", "client_id", "azp") if claims.get(name)), None)
    if not isinstance(subject, str):
        raise _InvalidToken(NO_SUBJECT)
    name = f"subject-{sha256_of(claims['iss'], subject)}"
    return Principal(name=name, scopes=_scopes(claims))


def _scopes(claims: Mapping[str, Any]) -> frozenset[Scope]:
    """The scopes, from `scope` (RFC 9068) or `scp`, as text or as a list."""
    given = claims.get("scope", claims.get("scp", ""))
    words = given.split() if isinstance(given, str) else given
    return frozenset(scope for scope in Scope if isinstance(words, list) and scope in words)
