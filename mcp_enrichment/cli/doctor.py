"""The findings of the doctor, one line each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mcp_enrichment.cli.errors import load_settings

if TYPE_CHECKING:
    from mcp_enrichment.doctor import Finding
    from mcp_enrichment.settings import Settings


@click.command()
def doctor() -> None:
    """Check versions, settings, key, folders, reach, balance, clock and chat clients.

    Each line begins with ok, note or wrong; what is wrong says what to do. Nothing is changed, no
    credit is spent, and the key is never shown. Exit code 1: something is wrong.
    """
    import anyio

    from mcp_enrichment.doctor import Level
    from mcp_enrichment.doctor.installation import versions

    found = [*_print(*versions()), *_settings_findings(), *anyio.run(_client_findings)]
    if any(finding.state is Level.WRONG for finding in found):
        sys.exit(1)


def _settings_findings() -> list[Finding]:
    import anyio

    from mcp_enrichment.contract.errors import Unauthorized
    from mcp_enrichment.doctor import installation, ok, wrong

    try:
        settings = load_settings()
    except click.UsageError as fault:
        return _print(wrong("settings", fault.message), *installation.unknown_variables())
    notes = [*installation.unknown_variables(), *installation.unused_limits(settings)]
    found = _print(*(notes or [ok("settings", "as they should be")]))
    try:
        settings.is_embedded  # noqa: B018 (raises if the key cannot be read)
    except Unauthorized as error:
        return found + _print(wrong("key", error.to_person()))
    return found + anyio.run(_service_findings, settings)


async def _service_findings(settings: Settings) -> list[Finding]:
    from mcp_enrichment.doctor import installation, service

    found = _print(*service.key(settings), *installation.folders(settings))
    found += _print(installation.memory(settings))
    if settings.is_embedded:
        return found + _print(*installation.network(settings), *service.embedded(settings))
    if unreachable := list(installation.network(settings)):
        return found + _print(*unreachable)
    async for finding in service.remote(settings):
        found += _print(finding)
    return found


async def _client_findings() -> list[Finding]:
    from mcp_enrichment.doctor.clients import client_findings

    return [found async for one in client_findings() for found in _print(one)]


def _print(*found: Finding) -> list[Finding]:
    for finding in found:
        click.echo(f"{finding.state:6} {finding.what:9} {finding.says}")
    return list(found)
