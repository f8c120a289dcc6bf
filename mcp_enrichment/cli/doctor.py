"""The findings of the doctor, one line each."""

from __future__ import annotations

import sys
from itertools import chain
from typing import TYPE_CHECKING

import click

from mcp_enrichment.cli.errors import load_settings
from mcp_enrichment.contract.errors import Unauthorized
from mcp_enrichment.doctor import Level, installation, ok, service, wrong
from mcp_enrichment.doctor.clients import client_findings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mcp_enrichment.doctor import Finding
    from mcp_enrichment.settings import Settings


@click.command()
def doctor() -> None:
    """Check versions, settings, key, folders, reach, balance, clock and chat clients.

    Each line begins with ok, note or wrong; what is wrong says what to do. Nothing is changed, no
    credit is spent, and the key is never shown. Exit code 1: something is wrong.
    """
    is_well = True
    for finding in _findings():
        click.echo(f"{finding.state:6} {finding.what:9} {finding.says}")
        is_well = is_well and finding.state is not Level.WRONG
    if not is_well:
        sys.exit(1)


def _findings() -> Iterator[Finding]:
    yield from installation.versions()
    try:
        settings = load_settings()
    except click.UsageError as fault:
        yield wrong("settings", fault.message)
        yield from installation.unknown_variables()
    else:
        yield from _settings_findings(settings)
        yield from _service_findings(settings)
    yield from client_findings()


def service_findings(settings: Settings) -> Sequence[Finding]:
    """The findings for a process that serves with these settings, for its console."""
    found = (installation.versions(), _settings_findings(settings), _service_findings(settings))
    return [*chain(*found)]


def _settings_findings(settings: Settings) -> Iterator[Finding]:
    notes = [*installation.unknown_variables(), *installation.unused_limits(settings)]
    yield from notes or [ok("settings", "as they should be")]


def _service_findings(settings: Settings) -> Iterator[Finding]:
    try:
        is_embedded = settings.is_embedded
    except Unauthorized as error:  # the key cannot be read
        yield wrong("key", error.to_person())
        return
    yield from service.key(settings)
    yield from installation.folders(settings)
    yield installation.memory(settings)
    invalid = list(installation.network(settings))
    yield from invalid
    if is_embedded:
        yield from service.embedded(settings)
    elif not invalid:
        yield from service.remote(settings)
