"""Lookups from a terminal: one of the user's, and the demonstration."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click

from mcp_enrichment.cli.common import call_with_client
from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.mcp.next_steps import next_step
from mcp_enrichment.mcp.outputs import to_enrichment

if TYPE_CHECKING:
    from mcp_enrichment.client.results import EnrichmentResult
    from mcp_enrichment.client.scoped import ToolClient


EXIT_NO_EMAIL = 3
"""The exit code of a lookup without an email."""
WAIT_SECONDS = 50.0
"""The seconds of one wait."""
MAX_WAITS = 20
"""The command gives up after these waits. The lookup continues."""
_URL = re.compile(r"linkedin\.|://", re.IGNORECASE)


@click.command()
@click.argument("target", metavar="URL|FILE|-")
@click.option("--type", "email_type", type=click.Choice(["work", "personal"]), default="work")
@click.option("--refresh", is_flag=True, help="URL: look up again, even if there is an answer.")
@click.option(
    "--json", "as_json", is_flag=True, help="URL: print the whole answer, as the tools do."
)
@click.option("--out", type=click.Path(path_type=Path), help="List: the file to write.")
@click.option("--map", "column", metavar="url=COLUMN", help="List: the column of profiles.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl", "table"]),
    help="List: of the output; without it a table in a terminal, and CSV elsewhere.",
)
@click.option(
    "--max-credits",
    type=click.IntRange(0),
    help="List: the most that all runs with this input, output and type may cost.",
)
@click.option("--yes", "is_confirmed", is_flag=True, help="List: do not ask before spending.")
def enrich(target: str, email_type: str, refresh: bool, as_json: bool, **of_list: Any) -> None:
    """Find the email of the LinkedIn profile URL, and print it; stderr says so if nobody has
    verified it. Or find those of a list: a FILE that `contacts import` reads, any CSV with a column
    of profiles, or URLs on stdin (-).

    Exit code 0: an address was found, or the whole list is final. 1: an error. 2: it was called in
    the wrong way. 3: the lookup ended without an address. 4: a part of the list is not final. 130:
    Ctrl-C; what the list has by then is written.
    """
    if _is_list(target):
        from mcp_enrichment.cli.enrich_list import ListOptions, enrich_list

        if refresh or as_json:
            raise click.UsageError("--refresh and --json are for a single URL.")
        enrich_list(ListOptions(source=target, email_type=EmailType(email_type), **of_list))
        return
    if any(value is not None and value is not False for value in of_list.values()):
        raise click.UsageError("--out, --map, --format, --max-credits and --yes are for a list.")
    _enrich_one(target, email_type, refresh=refresh, as_json=as_json)


def _is_list(target: str) -> bool:
    """Whether it is `-`, a file, or text that may be a file's name but no URL."""
    return target == "-" or os.path.exists(target) or not _URL.search(target)


def _enrich_one(url: str, email_type: str, *, refresh: bool, as_json: bool) -> None:
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
    client: ToolClient, url: str, email_type: str, *, refresh: bool
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
