"""The SDK's OAuth client, and a user who consents to everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import httpx
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

from tests.support.waiting import HANG

if TYPE_CHECKING:
    from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

BACK = "http://127.0.0.1:1/back"


@dataclass
class Wallet:
    """Keeps the tokens and the registration of a client."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def consenting(url: str, wallet: Wallet) -> OAuthClientProvider:
    """Credentials of a client for a server, from the issuer that the server names."""
    came_back: list[str] = []

    async def ask(authorize: str) -> None:
        async with httpx.AsyncClient(timeout=HANG) as browser:
            came_back.append((await browser.get(authorize)).headers["location"])

    async def answer() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(**dict(parse_qsl(urlsplit(came_back[-1]).query)))

    metadata = OAuthClientMetadata(redirect_uris=[BACK], client_name="test")
    return OAuthClientProvider(url, metadata, wallet, ask, answer)
