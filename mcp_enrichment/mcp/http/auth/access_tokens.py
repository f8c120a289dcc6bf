"""Access tokens of an OAuth 2.1 issuer: JSON Web Tokens made for this server (RFC 9068)."""

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
"""Signatures by a key of the issuer's alone: with a shared one, who checks could also forge."""
LEEWAY = 30.0
"""Seconds by which the issuer's clock may differ from ours."""
MAX_TOKEN = 16 * 1024
"""Characters."""
MAX_KEYS_TRIED = 5
"""Of those of one id; a token that names none must be of an issuer that has few."""
_JWT = jwt.PyJWT(options={"enforce_minimum_key_length": True})
_REQUIRED = ["exp", "iss", "aud"]

KeysFor = Callable[[str | None], Awaitable[Sequence[Mapping[str, Any]]]]
"""The issuer's keys of this `kid`, as JSON Web Keys. Raises `ServiceUnavailable`."""


class _Refused(Exception):
    """No token of the issuer's that is valid here and now. The sentence holds nothing of it."""


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
"""Why, for the operator alone. The library's own texts may quote the token."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenVerifier:
    """Checks tokens against one issuer and one audience."""

    issuer: str
    audience: str
    keys_for: KeysFor

    async def caller_of(self, token: str) -> Principal | None:
        """Whom the token stands for; None where it is not valid here and now. Raises
        `ServiceUnavailable` where the issuer's keys cannot be had."""
        if len(token) > MAX_TOKEN:
            return None
        try:
            algorithm, key_id = _header_of(token)
            keys = [k for k in await self.keys_for(key_id) if k.get("alg", algorithm) == algorithm]
            return _caller(self._claims(token, keys[:MAX_KEYS_TRIED], algorithm))
        except _Refused as refused:
            logger.warning(str(refused))
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
        raise _Refused(NO_KEY)


def _header_of(token: str) -> tuple[str, str | None]:
    """Its algorithm and key, as the token says: nothing is proven by it yet."""
    header = jwt.get_unverified_header(token)
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS or not isinstance(key_id, str | None):
        raise _Refused(NO_ALGORITHM)
    return algorithm, key_id


def _caller(claims: Mapping[str, Any]) -> Principal:
    """The person, or the client that acts for itself, known by a hash: no personal data."""
    subject = next((claims[name] for name in ("sub", "client_id", "azp") if claims.get(name)), None)
    if not isinstance(subject, str):
        raise _Refused(NO_SUBJECT)
    name = f"subject-{sha256_of(claims['iss'], subject)}"
    return Principal(name=name, scopes=_scopes(claims))


def _scopes(claims: Mapping[str, Any]) -> frozenset[Scope]:
    """From `scope` (RFC 9068), or `scp`, as some issuers call it, in words or as a list."""
    said = claims.get("scope", claims.get("scp", ""))
    words = said.split() if isinstance(said, str) else said
    return frozenset(scope for scope in Scope if isinstance(words, list) and scope in words)
