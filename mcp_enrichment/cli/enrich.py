"""Lookups from a terminal: one of the user's, and the demonstration."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click

from mcp_enrichment.cli.common import call_with_client
from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.mcp.next_steps import next_step
from mcp_enrichment.mcp.outputs import to_enrichment

if TYPE_CHECKING:
    from mcp_enrichment.client.protocols import EnrichmentBackend
    from mcp_enrichment.client.results import EnrichmentResult


EXIT_NO_EMAIL = 3
"""The exit code of a lookup without an email."""
WAIT_SECONDS = 50.0
"""Of one wait."""
MAX_WAITS = 20
"""The command gives up after these waits. The lookup continues."""


@click.command()
@click.argument("url")
@click.option("--type", "email_type", type=click.Choice(["work", "personal"]), default="work")
@click.option("--refresh", is_flag=True, help="Look up again, even if there is an answer.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole answer, as the tools do.")
def enrich(url: str, email_type: str, refresh: bool, as_json: bool) -> None:
    """Find the email of the LinkedIn profile URL, and print it; stderr says so if nobody has
    verified it.

    Exit code 0: an address was found. 3: the lookup ended without one. 1: it could not be made.
    """
    answer = call_with_client(lambda client: _final(client, url, email_type, refresh=refresh))
    step = next_step(answer)
    sentence = step.to_person() if step else None
    if as_json:
        shown = to_enrichment(answer).model_dump(mode="json") | {"next_step": sentence}
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
    elif answer.email:
        click.echo(answer.email)
    if sentence and not (as_json and answer.email):
        click.echo(f"{answer.verification or answer.status}: {sentence}", err=True)
    if not answer.email:
        sys.exit(EXIT_NO_EMAIL)


async def _final(
    client: EnrichmentBackend, url: str, email_type: str, *, refresh: bool
) -> EnrichmentResult:
    request = await client.request(
        url, EmailType(email_type), force_refresh=refresh, wait=WAIT_SECONDS
    )
    answer = request
    for _ in range(MAX_WAITS):
        if answer.is_final:
            break
        click.echo("still looking …", err=True)
        [answer] = await client.wait([request.id], WAIT_SECONDS)
    return replace(answer, reused=request.reused)


@click.command()
def demo() -> None:
    """Run the main job on sample data: a real client, a real server, real answers.

    Nothing of yours is read or written, and nothing leaves this machine.
    """
    from mcp_enrichment.mcp.demo import run_demo  # it imports the MCP SDK

    with tempfile.TemporaryDirectory(
        prefix="mcp-enrichment-", ignore_cleanup_errors=True
    ) as folder:
        anyio.run(run_demo, Path(folder), click.echo)
