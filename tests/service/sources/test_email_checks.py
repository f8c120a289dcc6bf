"""An address that is given out is valid, and belongs to a person."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mcp_enrichment.service.sources.base import AddressDefect
from mcp_enrichment.service.sources.email_checks import EmailChecks

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "email",
    [
        "ada.okafor@example.com",
        "jürgen@müller.example",
        "ada+news@example.com",
        "infante@example.com",
        "sales.smith@example.com",
        "ada@mailinator.example",
    ],
)
async def test_a_persons_address_has_no_defect(email: str) -> None:
    assert await EmailChecks().find_defect(email) is None


@pytest.mark.parametrize(
    "email", ["ada", "ada@", "@example.com", "a..b@example.com", "ada@localhost", "ada@a b.com"]
)
async def test_an_invalid_address_is_a_syntax_defect(email: str) -> None:
    assert await EmailChecks().find_defect(email) == AddressDefect.SYNTAX


@pytest.mark.parametrize(
    "local",
    ["info", "INFO", "sales+eu", "no-reply", "No_Reply", "kontakt", "ventas", "rh", "postmaster"],
)
async def test_an_address_of_an_office_is_known(local: str) -> None:
    assert await EmailChecks().find_defect(f"{local}@example.com") == AddressDefect.ROLE


@pytest.mark.parametrize("domain", ["mailinator.com", "MAILINATOR.com", "sub.mailinator.com"])
async def test_an_address_for_minutes_is_known(domain: str) -> None:
    assert await EmailChecks().find_defect(f"ada@{domain}") == AddressDefect.DISPOSABLE


def test_without_the_setting_nothing_that_asks_the_network_is_even_imported() -> None:
    program = (
        "import anyio, sys\n"
        "from mcp_enrichment.service.sources.email_checks import EmailChecks\n"
        "assert not {'email_validator', 'disposable_email_domains', 'dns'} & set(sys.modules)\n"
        "anyio.run(EmailChecks().find_defect, 'ada@example.com')\n"
        "print('dns.asyncresolver' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert done.stdout.split() == [b"False"]
