"""The service: the embedded one, or a server that is requested once for its balance."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from mcp_enrichment.app.service import read_teams
from mcp_enrichment.client.probe import Obstacle, ProbeResult, diagnose, probe
from mcp_enrichment.contract.defaults import DEFAULT_TEAM
from mcp_enrichment.contract.errors import (
    EnrichmentError,
    RateLimited,
    ServiceUnavailable,
    StorageFailed,
    StorageFault,
    Unauthorized,
)
from mcp_enrichment.contract.http import is_loopback
from mcp_enrichment.contract.pasted_text import api_key_problem
from mcp_enrichment.credentials.keys import KeyOrigin
from mcp_enrichment.doctor import Finding, note, ok, wrong
from mcp_enrichment.service.accounts.teams import FIRST_GRANT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcp_enrichment.settings import Settings

MAX_CLOCK_SKEW = 60.0
"""The difference of two clocks from which certificates and signatures fail."""
LOW_BALANCE = 5
"""Below it, the balance is reported as low."""

_OBSTACLES = {
    Obstacle.NAME: "its name has no address. Check the spelling, and that this machine is online.",
    Obstacle.CERTIFICATE: "its certificate is not accepted. Check this machine's clock. "
    "Behind a company's proxy, set SSL_CERT_FILE.",
    Obstacle.PROXY: "the proxy does not let it through. Check HTTPS_PROXY and NO_PROXY.",
    Obstacle.TIME: "no answer came in time. Try again; if it stays so, check the firewall.",
    Obstacle.CONNECTION: "nothing answers there. Check that it runs, its port and the firewall.",
    Obstacle.SERVER: "it answers that it cannot work at the moment. Try again in a minute.",
}


def key(settings: Settings) -> Iterator[Finding]:
    """The origin of the key, and whether it is safe there and in transit. Raises `Unauthorized` if
    it cannot be read."""
    found = settings.key
    if found is None:
        yield note("key", "none")
        return
    file = settings.api_key_file if found.origin is KeyOrigin.FILE else None
    if fault := api_key_problem(found.key.get_secret_value()):
        yield wrong("key", f"of {found.origin}: {fault}")
    elif file and _is_open(file):
        yield wrong("key", f"others can read it: chmod 600 {file}")
    else:
        yield ok("key", f"from {found.origin}")
    url = urlsplit(settings.server_url)
    if url.scheme == "http" and not is_loopback(url.hostname or ""):
        yield wrong("key", "goes to the server unencrypted. Use https in ENRICHMENT_API_URL.")


def embedded(settings: Settings) -> Iterator[Finding]:
    """The balance of the embedded service, read from its database. The service is not started, as
    it would resume lookups that cost credits."""
    reach = "it reads your own contacts, and asks nobody else"
    if vendors := ", ".join(settings.vendor_keys):
        reach = f"it sends profiles to {vendors}: `mcp-enrichment sources list` shows their state"
    yield note("reach", f"the service is embedded: {reach}")
    if settings.database_url or settings.database_file.exists():
        yield _stored_balance(settings)
    else:
        yield note("balance", f"{FIRST_GRANT} credits to count with, from the first use on")


def _stored_balance(settings: Settings) -> Finding:
    try:
        every = read_teams(settings)
    except StorageFailed as failure:
        return _unreadable_database(failure, settings)
    mine = next((team.available for team in every if team.name == DEFAULT_TEAM), FIRST_GRANT)
    return _balance(mine, "`mcp-enrichment credits grant 100` adds some.")


def _unreadable_database(failure: StorageFailed, settings: Settings) -> Finding:
    where, is_file = settings.database_name, settings.database_url is None
    if is_file and failure.fault is StorageFault.OLDER_SCHEMA:
        says = f"{where} is new or of an older version: its next use makes it ready"
        return note("balance", says)
    if is_file and failure.fault is StorageFault.NOT_A_DATABASE:
        return wrong(
            "balance",
            f"{where} is damaged, half-made or another program's: restore it, or move it away and "
            "import your contacts again.",
        )
    return wrong("balance", f"{where}: {failure.to_person()}")


def remote(settings: Settings) -> Iterator[Finding]:
    """The result of one free request: reach, key, balance and clock."""
    secret = settings.key.key.get_secret_value() if settings.key else None
    try:
        seen = anyio.run(probe, settings.server_url, secret)
    except EnrichmentError as error:
        yield _not_answered(error, settings)
        return
    yield ok("reach", f"{_server(settings)} answered in {seen.seconds:.2f} s")
    yield _balance(seen.balance, "Add some where you got the key.")
    yield _clock(seen)


def _not_answered(error: EnrichmentError, settings: Settings) -> Finding:
    server = _server(settings)
    if isinstance(error, Unauthorized):
        return wrong("key", f"{server} refuses it, or wants one. Get a valid one from its owner.")
    if isinstance(error, RateLimited):
        return note("reach", f"{server} asks to slow down. Try again in a minute.")
    if isinstance(error, ServiceUnavailable):
        return wrong("reach", f"{server}: {_OBSTACLES[diagnose(error)]}")
    return wrong(
        "reach",
        f"{server} answers, but not as an enrichment service. Check that ENRICHMENT_API_URL is the "
        "root of one.",
    )


def _balance(credits_left: int, how_to_add: str) -> Finding:
    if credits_left <= 0:
        return wrong("balance", f"no credit is left. {how_to_add}")
    if credits_left < LOW_BALANCE:
        return note("balance", f"{credits_left} credits are left. {how_to_add}")
    return ok("balance", f"{credits_left} credits")


def _clock(seen: ProbeResult) -> Finding:
    if seen.ahead is None:
        return note("clock", "the server's response has no date to compare with")
    if abs(seen.ahead) < MAX_CLOCK_SKEW:
        return ok("clock", "as the server's")
    direction = "ahead of" if seen.ahead > 0 else "behind"
    return wrong(
        "clock",
        f"this machine's is {abs(seen.ahead):.0f} s {direction} the server's. Let the system set "
        "it by the network.",
    )


def _is_open(file: Path) -> bool:
    """Whether others may read the file, on systems with POSIX permissions."""
    return os.name == "posix" and bool(file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def _server(settings: Settings) -> str:
    url = urlsplit(settings.server_url)
    return url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()
