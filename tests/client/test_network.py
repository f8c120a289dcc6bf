"""Proxies and certificates decide how a server is reached; a failure has one reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.client.http_api import HTTPApi
from mcp_enrichment.contract.errors import ServiceUnavailable, Unauthorized
from mcp_enrichment.mcp.http.auth.jwks import JWKSCache
from mcp_enrichment.net.proxies import proxy_for
from tests.support.scripted_server import replies
from tests.support.socks_proxy import socks_proxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.anyio

PROXY = "http://proxy.example:3128"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any proxy."""
    for name in (*VARIABLES, *map(str.lower, VARIABLES), "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


DIRECT = [
    ("*", "https://team.example"),
    ("a.example, *", "https://team.example"),
    ("team.example", "https://team.example"),
    ("TEAM.example.", "https://team.EXAMPLE"),
    ("example", "https://team.example"),
    (".team.example", "https://api.team.example"),
    ("*.team.example", "https://api.team.example"),
    ("a.example team.example", "https://team.example"),
    (" a.example ,  team.example ", "https://team.example"),
    ("team.example:8443", "https://team.example:8443"),
    ("team.example:443", "https://team.example"),
    ("localhost", "http://localhost:8700"),
    ("127.0.0.1", "http://127.0.0.1:8700"),
    ("127.0.0.1:8700", "http://127.0.0.1:8700"),
    ("10.0.0.0/8", "http://10.1.2.3"),
    ("192.168.*", "http://192.168.7.1"),
    ("::1", "http://[::1]:8700"),
    ("[::1]", "http://[::1]:8700"),
    ("[::1]:8700", "http://[::1]:8700"),
    ("0:0:0:0:0:0:0:1", "http://[::1]"),
    ("fd00::/8", "http://[fd12:3456::1]"),
    ("[fd00::/8]", "http://[fd12:3456::1]"),
    ("[fd00::]/8", "http://[fd12:3456::1]"),
    ("localhost,127.0.0.1,::1,10.0.0.0/8,fd00::/8,.team.example", "https://api.team.example"),
]
BY_PROXY = [
    ("", "https://team.example"),
    ("am.example", "https://team.example"),
    ("team.example:8443", "https://team.example"),
    ("[::1]:1", "http://[::1]:8700"),
    ("[::2]", "http://[::1]"),
    ("fd00::/8", "http://[fe80::1]"),
    ("10.0.0.0/8", "http://11.0.0.1"),
    ("10.0.0.0/8", "https://team.example"),
    ("::/0", "http://10.0.0.1"),
    ("10.0.0.0/99,[,::::,%", "http://10.0.0.1"),
]


@pytest.mark.parametrize(("listed", "url"), DIRECT)
def test_what_no_proxy_exempts_is_reached_directly(
    monkeypatch: pytest.MonkeyPatch, listed: str, url: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", listed)
    assert proxy_for(url) is None
    HTTPApi(url, "a-key", None)


@pytest.mark.parametrize(("listed", "url"), BY_PROXY)
def test_everything_else_goes_by_the_proxy(
    monkeypatch: pytest.MonkeyPatch, listed: str, url: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", listed)
    assert proxy_for(url) == PROXY
    HTTPApi(url, "a-key", None)


def test_a_proxy_of_the_scheme_comes_before_the_one_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "nonsense://proxy.example")
    monkeypatch.setenv("HTTPS_PROXY", " proxy.example:3128\r")
    assert proxy_for("https://team.example") == PROXY


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks"])
async def test_a_socks_proxy_is_used_and_asked_for_the_servers_name(
    scheme: str, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.will(replies(200, {"balance": 7}))
    async with socks_proxy(vendor.port) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{proxy.port}/")
        wire = HTTPApi("http://team.example", "a-key", None)
        assert (await wire.credits()).balance == 7
        await wire.aclose()
    assert proxy.asked == ["team.example"]


WRONG = [
    ("ALL_PROXY", "socks4://proxy.example:1080"),
    ("HTTPS_PROXY", "foo://x"),
    ("HTTPS_PROXY", "http://"),
    ("HTTPS_PROXY", "http://proxy.example:port"),
    ("HTTPS_PROXY", "http://proxy.example:99999"),
    ("HTTPS_PROXY", "http://[::1"),
    ("HTTPS_PROXY", "http://proxy one.example"),
    ("HTTPS_PROXY", "${HTTPS_PROXY}"),
    ("HTTPS_PROXY", "http://ada:pl@nted@proxy.example:port"),
    ("SSL_CERT_FILE", "/nonexistent/certificates.pem"),
    ("SSL_CERT_FILE", "/dev/null"),
    ("SSL_CERT_DIR", "/nonexistent"),
]


@pytest.mark.parametrize(("variable", "value"), WRONG)
async def test_an_unusable_proxy_or_certificate_variable_is_named_in_the_error(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(Unauthorized, match=f"^{variable} ") as told:
        HTTPApi("https://team.example", "a-key", None)
    assert "ENRICHMENT_API_URL" not in str(told.value)
    assert "nted" not in str(told.value)
    with pytest.raises(ServiceUnavailable):
        await JWKSCache("https://issuer.example")("k1")


def test_folders_of_certificates_may_be_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", f"/nonexistent:{tmp_path}")
    HTTPApi("https://team.example", "a-key", None)


@pytest.mark.parametrize("key", ["${KEY}", "YOUR_API_KEY", '"k"', "a key", "k\n"])
def test_a_program_that_hands_in_no_real_key_is_refused_before_anything_is_sent(key: str) -> None:
    with pytest.raises(Unauthorized, match=r"^The API key"):
        HTTPApi("https://team.example", key, None)
