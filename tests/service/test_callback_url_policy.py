"""A callback URL with an address of a private network is refused, however it is written."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import httpx
import pytest

from mcp_enrichment.service.callbacks import url_policy
from mcp_enrichment.service.callbacks.url_policy import CallbackURLPolicy, is_public
from tests.support.running_service import ADA, running_service

if TYPE_CHECKING:
    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
DEFAULT_RULES = CallbackURLPolicy()
EVERYTHING = CallbackURLPolicy(
    networks=[ip_network("0.0.0.0/0"), ip_network("::/0")], ports=range(1, 65_536)
)
LOCAL_NAMES = 9
"""The first of the private URLs. If networks are allowed, names are checked only when resolved."""

PRIVATE_URLS = [
    # names of the local network
    "http://localhost",
    "http://LOCALHOST:80/x",
    "http://localhost./",
    "http://api.localhost/",
    "http://printer.local/",
    "http://hooks/",
    "http://hooks./",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://router.home.arpa/",
    # IPv4
    "http://127.0.0.1/",
    "https://127.255.255.254/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://168.63.129.16/",
    "http://100.64.0.1/",
    "http://198.18.0.1/",
    "http://192.0.0.192/",
    "http://192.0.2.1/",
    "http://0.0.0.0/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    # IPv4 in other notations
    "http://127.0.0.1./",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0X7F.1/",
    "http://0177.0.0.1/",
    "http://0xa9fea9fe/",
    "http://2852039166/",
    "http://025177524776/",
    "http://169.254.43518/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://127.0.0.1../",
    "http://017700000001/",
    "http://0/",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://①②⑦.0.0.1/",
    "http://127。0。0。1/",
    "http://127\uff0e0\uff0e0\uff0e1/",
    "http://127.0.0.1。/",
    "http://\uff4cocalhost/",
    "http://999.1.1.1/",
    "http://4294967296/",
    # IPv6
    "http://[::1]/",
    "http://[::]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://[ff02::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[::127.0.0.1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[0000:0000:0000:0000:0000:ffff:7f00:0001]/",
    "http://[::FFFF:10.0.0.1]/",
    "http://[0:0:0:0:0:ffff:192.168.0.1]/",
    "http://[::ffff:100.64.0.1]/",
    "http://[fec0::1]/",
    "http://[100::1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::169.254.169.254]/",
    "http://[64:ff9b:1::a00:1]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2002:808:808::1]/",
    "http://[2001::1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:7f00:1::]/",
    "http://[2001:db8::1]/",
]
MALFORMED_URLS = [
    "",
    "hooks.example.com",
    "//hooks.example.com/",
    "ftp://hooks.example.com/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "http://",
    "http://./",
    "http:///path",
    "http://user@hooks.example.com/",
    "http://user:secret@hooks.example.com/",
    "http://@hooks.example.com/",
    "http://1.1.1.1\\@127.0.0.1/",
    "http://hooks.example.com:99999/",
    "http://hooks.example.com:x/",
    "http://hooks.example.com/a b",
    "http://hooks.example.com/\r\nX-Evil: 1",
    "http://hooks.example.com/\x00",
    "http://[::1/",
    "https://hooks.example.com/" + "x" * 2048,
    # names that no resolver accepts
    "http://localhost%2e/",
    "http://%6cocalhost/",
    "http://hooks%00.example.com/",
    "http://hooks.example.com%00/",
    "http://hooks.exam\u00adple.com/",
    "http://hooks.exam\u200bple.com/",
    "http://hooks.exam\u200dple.com/",
    "http://hooks.exam\ufeffple.com/",
    "http://\uff48ooks.example.com/",
    "http://[v1.abc]/",
    "http://[v1.example.com]/",
    "http://[2606:4700:4700::1111%25eth0]/",
    "http://[2606:4700:4700::1111%eth0]/",
    "http://[1.1.1.1]/",
    "http://a..b/",
    "http://.example.com/",
    "http://hooks.example.com../",
    "http://" + "x" * 64 + ".example.com/",
    "http://" + "x." * 127 + "example.com/",
    "http://a,b.example.com/",
    "http://a;b.example.com/",
    "http://a+b.example.com/",
    "http://-hooks.example.com/",
    "http://hooks-.example.com/",
    "http://hooks.example.1/",
    "http://1.2.3.4.5/",
    "http://hooks.0x7f/",
    "http://xn--a.example/",
    "http://xn--.example/",
]
PUBLIC_URLS = [
    "https://hooks.example.com/enrichment?team=1#f",
    "HTTP://Hooks.Example.COM:443",
    "https://bücher.example/",
    "https://BÜCHER.example/",
    "https://xn--bcher-kva.example./",
    "https://hooks。example。com/",
    "https://my_hooks.example.com/",
    "https://" + "x" * 63 + ".example.com/",
    "https://1a.example.com/",
    "https://localhost.example.com/",
    "http://93.184.216.34:80/",
    "http://172.32.0.1/",
    "https://[2606:4700:4700::1111]/",
    "https://user-content.example/@ada",
]


async def _statuses(
    place: Place, urls: list[str], policy: CallbackURLPolicy = DEFAULT_RULES
) -> dict[str, int]:
    async with running_service(place, jobs=False, policy=policy, credits=len(urls)) as it:
        answers = {
            url: await it.post(linkedin_url=f"{ADA}-{number}", callback_url=url)
            for number, url in enumerate(urls)
        }
    return {url: answer.status_code for url, answer in answers.items()}


async def test_a_url_that_shows_a_private_address_is_refused_when_it_is_asked_for(
    place: Place,
) -> None:
    statuses = await _statuses(place, PRIVATE_URLS)
    assert [url for url, status in statuses.items() if status != 400] == []


@pytest.mark.parametrize("policy", [DEFAULT_RULES, EVERYTHING], ids=["default", "everything"])
async def test_a_url_that_is_none_for_callbacks_is_refused_whatever_is_allowed(
    place: Place, policy: CallbackURLPolicy
) -> None:
    statuses = await _statuses(place, MALFORMED_URLS, policy)
    assert [url for url, status in statuses.items() if status != 400] == []


async def test_a_public_url_is_accepted(place: Place) -> None:
    statuses = await _statuses(place, PUBLIC_URLS)
    assert [url for url, status in statuses.items() if status != 201] == []


async def test_a_host_that_is_accepted_is_the_one_that_will_be_asked_for() -> None:
    """The policy and the sender read the same host from a URL."""
    for url in PUBLIC_URLS:
        judged = url_policy._host_of(url_policy._parts_of(url))
        assert httpx.URL(url).raw_host.decode().removesuffix(".") == judged


async def test_an_operator_may_allow_private_addresses(place: Place) -> None:
    urls = [
        "http://localhost:9/",
        "http://hooks/",
        "http://10.0.0.1/",
        "http://[::1]/",
        "http://printer.local/",
    ]
    assert set((await _statuses(place, urls, EVERYTHING)).values()) == {201}


async def test_only_the_networks_that_an_operator_lists_are_allowed(place: Place) -> None:
    policy = CallbackURLPolicy(networks=[ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")])
    allowed = ["http://10.1.2.3/", "http://[fd00:1::9]/", "http://0x0a010203/", *PUBLIC_URLS]
    assert dict.fromkeys(allowed, 201) == await _statuses(place, allowed, policy)
    others = ["http://10.2.0.1/", "http://[fd00:2::9]/", "http://127.0.0.1/"]
    others += [url for url in PRIVATE_URLS[LOCAL_NAMES:] if "ocalhost" not in url]
    assert dict.fromkeys(others, 400) == await _statuses(place, others, policy)


async def test_ports_other_than_80_and_443_are_refused_unless_they_are_allowed(
    place: Place,
) -> None:
    ports = ["http://a.example:22/", "https://a.example:8443/", "http://a.example:0/"]
    assert set((await _statuses(place, ports)).values()) == {400}
    policy = CallbackURLPolicy(ports=(443, 8443))
    statuses = await _statuses(place, [*ports, "http://a.example/", "https://a.example/"], policy)
    assert list(statuses.values()) == [400, 201, 400, 400, 201]


async def test_a_refused_port_is_reported_with_those_that_are_allowed(place: Place) -> None:
    async with running_service(place, jobs=False) as it:
        error = (await it.post(callback_url="https://a.example:8443/")).json()["error"]
    assert error["code"] == "invalid_callback_url"
    assert "80, 443" in error["message"]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("100.63.255.255", True),
        ("100.127.255.255", False),
        ("192.88.99.1", False),
        ("::ffff:1.1.1.1", True),
        ("::ffff:100.64.0.1", False),
        ("2a00:1450:4001::1", True),
        ("3fff::1", False),
        ("5f00::1", False),
    ],
)
def test_an_address_is_judged_by_its_registry(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public
