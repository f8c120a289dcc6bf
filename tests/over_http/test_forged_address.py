"""A caller behind our nginx cannot choose the address by which wrong credentials are limited."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.over_http.served import call, key_of, served
from tests.support.fresh_copy import ROOT
from tests.support.nginx import nginx
from tests.support.waiting import HANG, until_listening

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def test_wrong_keys_are_limited_whatever_address_their_caller_names(tmp_path: Path) -> None:
    key = key_of(tmp_path, "acme")
    wrong = key[:-1] + ("1" if key.endswith("0") else "0")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    where = f"http://127.0.0.1:{port}"
    asked = call("auto", "get_credits", {})
    with served(tmp_path, RATE_LIMIT="12", PUBLIC_URL=where) as face:
        ports = {"mcp": face.port, "service-1": face.port, "service-2": face.port, "nginx": port}
        with nginx(ports, tmp_path):
            until_listening(port)
            async with httpx.AsyncClient(timeout=HANG) as http:
                statuses = [
                    (
                        await http.post(
                            f"{where}/mcp",
                            json=asked["json"],
                            headers=asked["headers"]
                            | {
                                "authorization": f"Bearer {wrong}",
                                "x-forwarded-for": f"198.51.100.{n}",
                            },
                        )
                    ).status_code
                    for n in range(20)
                ]
    assert statuses[:12] == [401] * 12
    assert statuses[-1] == 429


@pytest.mark.parametrize("page", ["deploy/nginx.conf", "docs/http.md"])
def test_every_proxy_that_we_show_replaces_the_address_that_a_caller_sends(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    locations = re.findall(r"location [^{]*\{(.*?)\}", text, re.DOTALL)
    passing = [location for location in locations if "proxy_pass" in location]
    assert passing
    assert all("proxy_set_header X-Forwarded-For $remote_addr;" in one for one in passing)
