"""Serving: MCP over stdio, and the contract over HTTP."""

from __future__ import annotations

import logging
import signal
import sys
from typing import TYPE_CHECKING

import click

from mcp_enrichment.cli.errors import settings
from mcp_enrichment.cli.exporting import spans_exported
from mcp_enrichment.cli.imports import imported_for_good
from mcp_enrichment.cli.refusing import serve_refusing
from mcp_enrichment.cli.stderr import never_block
from mcp_enrichment.contract.errors import EnrichmentError

if TYPE_CHECKING:
    from mcp_enrichment.settings import Settings

DEFAULT_PORT = 8700
BY_HAND = """\
This is an MCP server: a chat client starts it and talks to it over stdin and stdout.
To set one up see `mcp-enrichment setup --help`; to try it now run `mcp-enrichment demo`.
Ctrl-D ends it."""


def serve_stdio() -> None:
    """Serve MCP on stdin and stdout until stdin is closed or a signal comes."""
    # Until there is something to put in order, Ctrl-C ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with imported_for_good():
        from mcp_enrichment.cli.ending import end_in_time, run_until_signalled
        from mcp_enrichment.compose import connected_on_first_use
        from mcp_enrichment.mcp.server import serve
        from mcp_enrichment.setting_types import Confirm
        from mcp_enrichment.starting import check_start

    never_block()
    try:
        chosen = settings()
        check_start(chosen)
    except (click.UsageError, EnrichmentError) as wrong:
        serve_refusing(wrong)
    log_to_stderr(chosen)
    if sys.stdin is None or sys.stdout is None:
        raise click.ClickException(
            "stdin or stdout is closed, and MCP needs both. Start it from a chat client or a "
            "terminal."
        )
    if sys.stdin.isatty():
        click.echo(BY_HAND, err=True)

    async def run() -> None:
        async with connected_on_first_use(chosen) as client:
            await serve(client, confirm=chosen.confirm is Confirm.ALWAYS)
            end_in_time()

    with spans_exported():
        run_until_signalled(run)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535))
@click.option("--no-jobs", is_flag=True, help="Leave the work to `mcp-enrichment worker`.")
def service(host: str, port: int, no_jobs: bool) -> None:
    """Serve the HTTP contract, with lookups and callbacks in the background.

    Callers need an API key: `mcp-enrichment teams add NAME`, then `… keys create NAME`.
    """
    import anyio

    from mcp_enrichment.cli.http_server import listener, serve_http
    from mcp_enrichment.cli.logs import log_as_json
    from mcp_enrichment.starting import check_start

    chosen = settings()
    check_start(chosen)
    log_as_json(chosen)
    with listener(host, port) as listening, spans_exported():
        anyio.run(serve_http, chosen, listening, not no_jobs)


def log_to_stderr(chosen: Settings) -> None:
    """Our own logs at the chosen level; of libraries only warnings, as the rest holds data."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("mcp_enrichment").setLevel(chosen.log_level)
