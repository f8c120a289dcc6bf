"""A domain that takes no mail is recognised; an unclear answer of DNS is no defect."""

from __future__ import annotations

import socket

import anyio
import dns.rcode
import pytest
from dns.asyncresolver import Resolver

from mcp_enrichment.service.sources import email_checks
from mcp_enrichment.service.sources.base import AddressDefect
from mcp_enrichment.service.sources.email_checks import MXCheck
from tests.support.dns_server import SILENCE, dns_server
from tests.support.waiting import HANG

pytestmark = pytest.mark.anyio
ZONE = {
    "mx.example": {"MX": ["10 mail.mx.example.", "20 other.example."]},
    "null.example": {"MX": ["0 ."], "A": ["192.0.2.1"]},
    "four.example": {"A": ["192.0.2.1"]},
    "six.example": {"AAAA": ["2001:db8::1"]},
    "text.example": {"TXT": ["hello"]},
    "xn--mller-kva.example": {"MX": ["10 mail.mx.example."]},
    "fails.example": dns.rcode.SERVFAIL,
    "refuses.example": dns.rcode.REFUSED,
    "silent.example": SILENCE,
}


@pytest.mark.parametrize(
    ("domain", "defect"),
    [
        ("mx.example", None),
        ("MX.example", None),
        ("four.example", None),
        ("six.example", None),
        ("müller.example", None),
        ("null.example", AddressDefect.NO_MAIL),
        ("text.example", AddressDefect.NO_MAIL),
        ("nowhere.example", AddressDefect.NO_MAIL),
        ("fails.example", None),
        ("refuses.example", None),
        ("silent.example", None),
        ("-.example", None),
    ],
)
async def test_an_address_is_checked_by_the_dns_records_of_its_domain(
    domain: str, defect: AddressDefect | None
) -> None:
    async with dns_server(ZONE) as server:
        check = MXCheck(server.resolver(), seconds=0.5 if "silent" in domain else HANG)
        assert await check.find_defect(f"ada@{domain}") == defect


async def test_a_name_server_that_is_silent_is_not_waited_for_long() -> None:
    async with dns_server(ZONE) as server:
        check = MXCheck(server.resolver(), seconds=0.2)
        with anyio.fail_after(HANG):
            assert await check.find_defect("ada@silent.example") is None
        assert server.asked[0] == ("silent.example", "MX")


async def test_a_domain_is_asked_about_once_an_hour() -> None:
    clock = iter([0.0, 3599.0, 3601.0])
    async with dns_server(ZONE) as server:
        check = MXCheck(server.resolver(), clock=lambda: next(clock))
        for _ in range(3):
            assert await check.find_defect("ada@null.example") == AddressDefect.NO_MAIL
    assert server.asked == [("null.example", "MX")] * 2


async def test_a_domain_without_a_dns_answer_is_queried_again() -> None:
    async with dns_server(dict(ZONE)) as server:
        check = MXCheck(server.resolver())
        assert await check.find_defect("ada@fails.example") is None
        server.zone = {"fails.example": {"MX": ["0 ."]}}
        assert await check.find_defect("ada@fails.example") == AddressDefect.NO_MAIL


async def test_few_domains_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(email_checks, "CACHE_SIZE", 1)
    async with dns_server(ZONE) as server:
        check = MXCheck(server.resolver())
        for domain in ("mx.example", "null.example", "mx.example"):
            await check.find_defect(f"ada@{domain}")
    assert [name for name, _ in server.asked] == ["mx.example", "null.example", "mx.example"]


async def test_nobody_to_ask_is_no_defect() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    resolver = Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], port
    assert await MXCheck(resolver, seconds=0.3).find_defect("ada@mx.example") is None
