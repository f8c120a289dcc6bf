"""An OAuth issuer on loopback: its metadata, its keys, and tokens that are really signed.

It is a behaviour for the scripted server. It grants what is requested, within what the person
allows.
"""

from __future__ import annotations

import functools
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.support.scripted_server import replies

if TYPE_CHECKING:
    from anyio.abc import SocketStream

    from tests.support.scripted_server import ReceivedRequest, ScriptedServer

METADATA = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
JWKS = "/keys"


@dataclass
class Key:
    """A key pair, and its signature algorithm."""

    id: str
    algorithm: str
    private: Any

    @classmethod
    def of(cls, algorithm: str, key_id: str = "k1", *, bits: int = 2048) -> Key:
        if algorithm == "EdDSA":
            return cls(key_id, algorithm, ed25519.Ed25519PrivateKey.generate())
        if algorithm.startswith("ES"):
            curve = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
            return cls(key_id, algorithm, ec.generate_private_key(curve[algorithm]()))
        return cls(key_id, algorithm, rsa.generate_private_key(65_537, bits))

    def public(self) -> dict[str, Any]:
        """The public key as in the key set."""
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        shown = json.loads(algorithm.to_jwk(self.private.public_key()))
        shown.pop("key_ops", None)
        return shown | {"kid": self.id, "use": "sig"}


@functools.cache
def _first_key() -> Key:
    """The key of every issuer unless a test gives it others: to make one takes a while."""
    return Key.of("RS256")


@dataclass
class Issuer:
    """Serves its current metadata and keys, which a test may change."""

    url: str
    keys: list[Key] = field(default_factory=lambda: [_first_key()])
    consents: list[str] = field(default_factory=list)
    """The scopes that the person allows at each consent, if fewer than requested."""
    asked: list[dict[str, str]] = field(default_factory=list)
    """The parameters of each request for consent."""

    @classmethod
    def at(cls, end: ScriptedServer) -> Issuer:
        """An issuer that answers all requests to this scripted server."""
        issuer = cls(end.url)
        end.always(issuer)
        return issuer

    def token(self, audience: Any, *, key: Key | None = None, **claims: Any) -> str:
        """A token for Ada with both scopes and these claims; a claim of None is left out."""
        key = key or self.keys[0]
        now = int(time.time())
        said = {
            "iss": self.url,
            "aud": audience,
            "sub": "ada",
            "scope": "enrichment.read enrichment.spend",
            "iat": now,
            "exp": now + 600,
        } | claims
        said = {name: value for name, value in said.items() if value is not None}
        headers = {"kid": key.id, "typ": "at+jwt"}
        return jwt.encode(said, key.private, algorithm=key.algorithm, headers=headers)

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}{JWKS}",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "registration_endpoint": f"{self.url}/register",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "code_challenge_methods_supported": ["S256"],
        }

    def key_set(self) -> dict[str, Any]:
        return {"keys": [key.public() for key in self.keys]}

    async def __call__(self, stream: SocketStream, seen: ReceivedRequest) -> None:
        status, body, headers = self._answer(seen)
        await replies(status, body, headers)(stream, seen)

    def _answer(self, seen: ReceivedRequest) -> tuple[int, Any, dict[str, str]]:
        path, query = urlsplit(seen.path).path, parse_qs(urlsplit(seen.path).query)
        if path in (METADATA, OPENID):
            return 200, self.metadata(), {}
        if path == JWKS:
            return 200, self.key_set(), {}
        if path == "/register":
            return 201, seen.json | {"client_id": "a-client"}, {}
        if path == "/authorize":
            return 302, b"", {"location": self._redirect({k: v[0] for k, v in query.items()})}
        if path == "/token":
            return 200, self._granted(parse_qs(seen.body.decode())), {}
        return 404, b"", {}

    def _redirect(self, asked: dict[str, str]) -> str:
        back = {"code": str(len(self.asked)), "state": asked["state"], "iss": self.url}
        self.asked.append(asked)
        return f"{asked['redirect_uri']}?{urlencode(back)}"

    def _granted(self, form: dict[str, list[str]]) -> dict[str, Any]:
        number = int(form["code"][0])
        asked = self.asked[number]
        scope = self.consents[number] if number < len(self.consents) else asked["scope"]
        token = self.token(asked["resource"], scope=scope)
        return {"access_token": token, "token_type": "Bearer", "expires_in": 600, "scope": scope}
