"""A login that cannot succeed is not offered, and a token that cannot be checked gets a 503."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.over_http.served import call, served
from tests.support.oauth_issuer import Issuer
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

WELL_KNOWN = ("oauth-protected-resource", "oauth-authorization-server", "openid-configuration")
NOWHERE = "http://127.0.0.1:1"


async def test_without_an_issuer_nothing_promises_a_login_that_cannot_succeed(
    tmp_path: Path,
) -> None:
    asked = call("legacy", "get_credits", {})
    with served(tmp_path) as face:
        async with httpx.AsyncClient(timeout=HANG) as http:
            refused = await http.post(face.url, json=asked["json"], headers=asked["headers"])
            looked = [
                await http.get(f"{face.root}/.well-known/{name}{path}")
                for name in WELL_KNOWN
                for path in ("", "/mcp")
            ]
            registered = await http.post(f"{face.root}/register", json={"redirect_uris": []})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="mcp-enrichment"'
    assert "Authorization: Bearer" in refused.text
    assert {answer.status_code for answer in (*looked, registered)} == {404}


async def test_an_issuer_behind_a_proxy_that_is_gone_refuses_nobody_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = "https://issuer.example"
    monkeypatch.setenv("HTTPS_PROXY", NOWHERE)
    monkeypatch.setenv("NO_PROXY", "[::1],fd00::/8")
    token = Issuer(issuer).token("https://mcp.example/mcp")
    asked = call("legacy", "get_credits", {})
    headers = asked["headers"] | {"authorization": f"Bearer {token}", "host": "mcp.example"}
    with served(tmp_path, PUBLIC_URL="https://mcp.example", OAUTH_ISSUER=issuer) as face:
        async with httpx.AsyncClient(timeout=HANG, trust_env=False) as http:
            answer = await http.post(face.url, json=asked["json"], headers=headers)
        face.process.terminate()
        log = await face.stderr()
    assert answer.status_code == 503
    assert "Traceback" not in log
