"""Serving MCP where the settings are wrong.

A chat client whose server ends at once says "disconnected", and what stands on stderr lies in a log
that few people find. So the server starts, and answers each call with the sentence.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click

from mcp_enrichment.contract.errors import EnrichmentError, Unauthorized
from mcp_enrichment.contract.explanation import invalid_setting

if TYPE_CHECKING:
    from mcp_enrichment.client.protocols import EnrichmentBackend

EXIT_CODE = 2
"""As of every command whose settings are wrong."""


def serve_refusals(wrong: click.UsageError | EnrichmentError) -> NoReturn:
    """Serve, refuse every call, and end with exit code 2; at a terminal end at once."""
    from mcp_enrichment.cli.signals import exit_after_cleanup, run_until_signalled
    from mcp_enrichment.mcp.server import serve

    refusal = wrong if isinstance(wrong, EnrichmentError) else _refusal(wrong)
    if sys.stdin is None or sys.stdout is None or sys.stdin.isatty():
        raise wrong
    click.echo(f"Error: {_in_one_line(wrong)}", err=True)

    async def refused() -> EnrichmentBackend:
        raise refusal

    async def run() -> None:
        await serve(refused)
        exit_after_cleanup(EXIT_CODE)

    run_until_signalled(run)
    sys.exit(EXIT_CODE)


def _refusal(wrong: click.UsageError) -> Unauthorized:
    return Unauthorized(invalid_setting(wrong.message))


def _in_one_line(wrong: click.UsageError | EnrichmentError) -> str:
    return wrong.message if isinstance(wrong, click.UsageError) else wrong.to_person()
