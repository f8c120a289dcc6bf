"""Requests for other hosts, from other origins or with endless bodies are refused before MCP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
from starlette.datastructures import Headers

from mcp_enrichment.contract.errors import InvalidArguments
from mcp_enrichment.mcp.http import request
from mcp_enrichment.mcp.http.allowed_hosts import AllowedHosts, allowed_hosts
from mcp_enrichment.mcp.http.request import HTTPError
from tests.cli.commands import Shell
from tests.over_http.served import call, served
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

LOCAL = allowed_hosts("127.0.0.1", 8701, origins=["https://app.example"])
PUBLIC = allowed_hosts("0.0.0.0", 8701, public_url="https://mcp.example/enrichment")  # noqa: S104


@pytest.mark.parametrize(
    ("names", "host", "origin", "status"),
    [
        (LOCAL, "127.0.0.1:8701", None, None),
        (LOCAL, "LocalHost:8701", "http://localhost:8701", None),
        (LOCAL, "[::1]:8701", "https://app.example", None),
        (LOCAL, "localhost", None, 421),
        (LOCAL, "", None, 421),
        (LOCAL, "localhost:8702", None, 421),
        (LOCAL, "localhost:8701.evil.example", None, 421),
        (LOCAL, "localhost:x.evil.example", None, 421),
        (LOCAL, "localhost.evil.example:8701", None, 421),
        (LOCAL, "evil.example", None, 421),
        (LOCAL, "localhost:8701", "http://localhost:8701.evil.example", 403),
        (LOCAL, "localhost:8701", "http://localhost:9999", 403),
        (LOCAL, "localhost:8701", "https://localhost:8701", 403),
        (LOCAL, "localhost:8701", "https://app.example.evil.example", 403),
        (LOCAL, "localhost:8701", "null", 403),
        (LOCAL, "localhost:8701", "", 403),
        (PUBLIC, "mcp.example", "https://mcp.example", None),
        (PUBLIC, "mcp.example:443", None, None),
        (PUBLIC, "mcp.example:8701", None, 421),
        (PUBLIC, "localhost:8701", None, 421),
        (PUBLIC, "mcp.example", "http://mcp.example", 403),
    ],
)
def test_a_name_is_accepted_whole_or_not_at_all(
    names: AllowedHosts, host: str, origin: str | None, status: int | None
) -> None:
    headers = Headers({"host": host} | ({} if origin is None else {"origin": origin}))
    if status is None:
        names.check(headers)
        return
    with pytest.raises(HTTPError) as raised:
        names.check(headers)
    assert raised.value.status == status


def test_a_server_that_would_answer_to_no_name_is_not_started() -> None:
    with pytest.raises(InvalidArguments):
        allowed_hosts("::", 8701)
    assert allowed_hosts("::", 8701, hosts=["a.example"]).hosts == {"a.example"}
    assert allowed_hosts("10.0.0.5", 8701).hosts == {"10.0.0.5:8701"}
    assert allowed_hosts("fd00::5", 8701).origins == {"http://[fd00::5]:8701"}


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        (("--host", "0.0.0.0"), {}),  # noqa: S104
        ((), {"PUBLIC_URL": "https://mcp.example"}),
        ((), {"HTTP_HOSTS": "mcp.example:443"}),
    ],
)
def test_without_a_credential_nobody_else_can_be_served(
    options: tuple[str, ...], settings: dict[str, str], tmp_path: Path
) -> None:
    command = ["serve", "--http", "--port", "0", *options]
    told = Shell(tmp_path).run(*command, HTTP_OPEN="true", **settings)
    assert "ENRICHMENT_HTTP_OPEN" in told.refused()


async def test_a_page_that_rebinds_a_name_reaches_nothing_but_the_health_of_the_server(
    tmp_path: Path,
) -> None:
    asked = call("auto", "get_credits", {})
    evil = {"host": "evil.example"}
    with served(tmp_path, HTTP_OPEN="true", HTTP_ORIGINS="https://app.example") as face:
        async with httpx.AsyncClient(timeout=HANG) as http:
            rebound = await http.post(face.url, json=asked["json"], headers=asked["headers"] | evil)
            health = await http.get(f"{face.root}/health", headers=evil)
            page = {"origin": "https://app.example", "access-control-request-method": "POST"}
            preflight = await http.options(face.url, headers=page)
            from_page = await http.post(
                face.url, json=asked["json"], headers=asked["headers"] | page
            )
            from_other = await http.options(
                face.url, headers=page | {"origin": "https://x.example"}
            )
    assert rebound.status_code == 421
    assert rebound.json()["error"]["code"] == -32000
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert preflight.headers["access-control-allow-origin"] == "https://app.example"
    assert from_page.headers["access-control-allow-origin"] == "https://app.example"
    assert from_page.status_code == 200
    assert (from_other.status_code, from_page.json()["id"]) == (403, 1)


async def test_a_body_has_bounds_and_junk_is_survived(tmp_path: Path) -> None:
    headers = call("legacy", "get_credits", {})["headers"]
    modern = call("auto", "get_credits", {})["headers"]
    bodies = [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"[{}]",
        b'{"jsonrpc":"2.0","id":1,"method":5}',
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"id":' + b"9" * 60_000,
    ]
    with served(tmp_path, HTTP_OPEN="true", LOG_LEVEL="DEBUG") as face:
        async with httpx.AsyncClient(timeout=HANG) as http:
            for era in (headers, modern):
                for junk in bodies:
                    answer = await http.post(face.url, content=junk, headers=era)
                    assert answer.status_code == 400, junk[:9]
                    assert answer.json()["error"]["code"] in {-32600, -32700}
                    assert len(answer.text) < 150
            large = await http.post(
                face.url, content=b" " * (request.MAX_BODY + 1), headers=headers
            )
            assert large.status_code == 413
            assert (await http.post(face.url, **call("legacy", "get_credits", {}))).is_success
        face.process.terminate()
        assert "Traceback" not in await face.stderr()


async def test_a_body_that_does_not_arrive_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request, "BODY_SECONDS", 0.05)

    async def never() -> None:
        await anyio.sleep_forever()

    with anyio.fail_after(HANG), pytest.raises(HTTPError) as raised:
        await request.read_body(never)
    assert raised.value.status == 408
