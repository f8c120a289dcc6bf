"""What keeps an installation from working, in one line each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mcp_enrichment.cli.errors import load_settings

if TYPE_CHECKING:
    from mcp_enrichment.doctor.findings import Finding
    from mcp_enrichment.settings import Settings


@click.command()
def doctor() -> None:
    """Check versions, settings, key, folders, reach, balance, clock and chat clients.

    Each line begins with ok, note or wrong; what is wrong says what to do. Nothing is changed, no
    credit is spent, and the key is never shown. Exit code 1: something is wrong.
    """
    import anyio

    from mcp_enrichment.doctor.findings import Level
    from mcp_enrichment.doctor.installation import versions

    found = [*_shown(*versions()), *_of_settings(), *anyio.run(_of_clients)]
    if any(finding.state is Level.WRONG for finding in found):
        sys.exit(1)


def _of_settings() -> list[Finding]:
    import anyio

    from mcp_enrichment.contract.errors import Unauthorized
    from mcp_enrichment.doctor import environment
    from mcp_enrichment.doctor.findings import ok, wrong

    try:
        chosen = load_settings()
    except click.UsageError as fault:
        return _shown(wrong("settings", fault.message), *environment.unknown_variables())
    notes = [*environment.unknown_variables(), *environment.unused_limits(chosen)]
    found = _shown(*(notes or [ok("settings", "as they should be")]))
    try:
        chosen.is_embedded  # noqa: B018 (where the key cannot be read, who answers is not known)
    except Unauthorized as error:
        return found + _shown(wrong("key", error.to_person()))
    return found + anyio.run(_of_what_they_name, chosen)


async def _of_what_they_name(chosen: Settings) -> list[Finding]:
    from mcp_enrichment.doctor import environment, installation, service

    found = _shown(*service.key(chosen), *installation.folders(chosen))
    found += _shown(installation.memory(chosen))
    if chosen.is_embedded:
        return found + _shown(*environment.network(chosen), *service.embedded(chosen))
    if unreachable := list(environment.network(chosen)):
        return found + _shown(*unreachable)
    async for finding in service.remote(chosen):
        found += _shown(finding)
    return found


async def _of_clients() -> list[Finding]:
    from mcp_enrichment.doctor.clients import client_findings

    return [found async for one in client_findings() for found in _shown(one)]


def _shown(*found: Finding) -> list[Finding]:
    for finding in found:
        click.echo(f"{finding.state:6} {finding.what:9} {finding.says}")
    return list(found)
