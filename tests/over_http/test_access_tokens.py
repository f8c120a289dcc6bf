"""An access token is accepted only from the issuer, and only for this server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from mcp_enrichment.mcp.http.auth.access_tokens import (
    ALGORITHMS,
    MAX_KEYS_TRIED,
    MAX_TOKEN,
    TokenVerifier,
)
from mcp_enrichment.mcp.http.auth.jwks import JWKSCache
from mcp_enrichment.mcp.http.auth.principal import EVERYTHING, Scope
from tests.support.oauth_issuer import Issuer, Key

if TYPE_CHECKING:
    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.anyio

HERE = "https://mcp.example/mcp"
HOUR = 3600


@pytest.fixture
def issuer(vendor: ScriptedServer) -> Issuer:
    return Issuer.at(vendor)


@pytest.fixture
def tokens(issuer: Issuer) -> TokenVerifier:
    return TokenVerifier(issuer=issuer.url, audience=HERE, keys_for=JWKSCache(issuer.url))


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
async def test_a_token_of_any_usual_signature_is_taken(
    issuer: Issuer, tokens: TokenVerifier, algorithm: str
) -> None:
    issuer.keys = [Key.of("ES256", "other"), Key.of(algorithm, "this")]
    mail = "ada@example.com"
    caller = await tokens.verify(issuer.token(HERE, key=issuer.keys[1], sub=mail))
    assert caller
    assert caller.scopes == EVERYTHING
    assert mail not in caller.name


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "enrichment.read openid"}, {Scope.READ}),
        ({"scope": "enrichment.spend"}, {Scope.SPEND}),
        ({"scope": None, "scp": ["enrichment.read"]}, {Scope.READ}),
        ({"scope": None, "scp": "enrichment.read enrichment.spend"}, set(Scope)),
        ({"scope": None}, set()),
        ({"scope": 7}, set()),
        ({"scope": "enrichment.readenrichment.spend"}, set()),
        ({"aud": ["https://other.example", HERE]}, set(Scope)),
        ({"sub": None, "client_id": "a-robot"}, set(Scope)),
    ],
)
async def test_a_valid_token_allows_its_scopes(
    issuer: Issuer, tokens: TokenVerifier, claims: dict[str, Any], scopes: set[Scope]
) -> None:
    caller = await tokens.verify(issuer.token(HERE, **claims))
    assert caller
    assert caller.scopes == scopes


async def test_a_clock_may_be_wrong_by_a_few_seconds(issuer: Issuer, tokens: TokenVerifier) -> None:
    for claims in ({"exp": time.time() - 5}, {"nbf": time.time() + 5}):
        assert await tokens.verify(issuer.token(HERE, **claims))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://mcp.example"},
        {"aud": f"{HERE}/"},
        {"aud": "https://MCP.example/mcp"},
        {"aud": ["https://other.example/mcp"]},
        {"aud": None},
        {"iss": "https://other.example"},
        {"iss": None},
        {"exp": time.time() - HOUR},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": time.time() + HOUR},
        {"iat": time.time() + HOUR},
        {"sub": None},
        {"sub": 7},
        {"sub": ""},
    ],
)
async def test_a_token_for_elsewhere_or_another_time_is_refused(
    issuer: Issuer, tokens: TokenVerifier, claims: dict[str, Any]
) -> None:
    assert await tokens.verify(issuer.token(HERE, **claims)) is None


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"aud": "https://elsewhere.example"}, "ENRICHMENT_OAUTH_AUDIENCE"),
        ({"iss": "https://elsewhere.example"}, "ENRICHMENT_OAUTH_ISSUER"),
        ({"exp": time.time() - HOUR}, "has expired"),
        ({"nbf": time.time() + HOUR}, "not valid yet"),
        ({"exp": None}, "has no exp"),
        ({"sub": None}, "names no subject"),
    ],
)
async def test_why_a_token_is_refused_stands_in_the_log_without_the_token(
    issuer: Issuer,
    tokens: TokenVerifier,
    caplog: pytest.LogCaptureFixture,
    claims: dict[str, Any],
    why: str,
) -> None:
    token = issuer.token(HERE, **claims)
    assert await tokens.verify(token) is None
    [told] = caplog.messages
    assert why in told
    assert "elsewhere.example" not in told
    assert not any(part in told for part in token.split("."))


async def test_a_signature_that_is_not_the_issuers_is_refused(
    issuer: Issuer, tokens: TokenVerifier
) -> None:
    good = issuer.token(HERE)
    head, body, signature = good.split(".")
    public = (
        issuer.keys[0]
        .private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    claims = jwt.decode(good, options={"verify_signature": False})
    forged = [
        issuer.token(HERE, key=Key.of("RS256")),
        issuer.token(HERE, key=Key.of("ES256", "nobody's")),
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{body}.",
        jwt.encode(claims, None, algorithm="none", headers={"kid": "k1"}),
        _signed_by_hmac(claims, public),
        "x" * (MAX_TOKEN + 1),
        "not.a.token",
        "",
    ]
    assert await tokens.verify(good)
    for token in forged:
        assert await tokens.verify(token) is None


@pytest.mark.filterwarnings("ignore:The RSA key is")
async def test_a_key_that_is_too_short_proves_nothing(
    issuer: Issuer, tokens: TokenVerifier
) -> None:
    issuer.keys = [Key.of("RS256", "short", bits=1024)]
    assert await tokens.verify(issuer.token(HERE)) is None


async def test_a_token_that_names_no_key_is_tried_with_a_few(
    issuer: Issuer, tokens: TokenVerifier
) -> None:
    issuer.keys = [Key.of("ES256", f"k{number}") for number in range(MAX_KEYS_TRIED + 1)]
    claims = jwt.decode(issuer.token(HERE), options={"verify_signature": False})

    def nameless(key: Key) -> str:
        return jwt.encode(claims, key.private, algorithm="ES256")

    assert await tokens.verify(nameless(issuer.keys[MAX_KEYS_TRIED - 1]))
    assert await tokens.verify(nameless(issuer.keys[MAX_KEYS_TRIED])) is None


async def test_two_people_are_two_callers_and_one_person_is_one(
    issuer: Issuer, tokens: TokenVerifier
) -> None:
    said = [{"sub": "ada"}, {"sub": "ada", "client_id": "another"}, {"sub": "jonas"}]
    callers = [await tokens.verify(issuer.token(HERE, **claims)) for claims in said]
    names = [caller.name for caller in callers if caller]
    assert names[0] == names[1] != names[2]


def _signed_by_hmac(claims: dict[str, Any], public: bytes) -> str:
    """The known attack: the public key used as the secret of a symmetric signature."""
    import base64
    import hashlib
    import hmac
    import json

    parts = [{"alg": "HS256", "kid": "k1", "typ": "JWT"}, claims]
    said = b".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts
    )
    digest = hmac.new(public, said, hashlib.sha256).digest()
    return (said + b"." + base64.urlsafe_b64encode(digest).rstrip(b"=")).decode()
