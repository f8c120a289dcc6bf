"""Serving: MCP over stdio, and the contract over HTTP."""

from __future__ import annotations

import logging
import signal
import sys
from typing import TYPE_CHECKING

import click

from mcp_enrichment.cli.errors import load_settings
from mcp_enrichment.cli.gc_freeze import frozen_imports
from mcp_enrichment.cli.misconfigured import serve_refusals
from mcp_enrichment.cli.otel import export_spans
from mcp_enrichment.cli.stderr import make_nonblocking
from mcp_enrichment.contract.errors import EnrichmentError

if TYPE_CHECKING:
    from mcp_enrichment.settings import Settings

DEFAULT_PORT = 8700
TERMINAL_HINT = """\
This is an MCP server: a chat client starts it and talks to it over stdin and stdout.
To set one up see `mcp-enrichment setup --help`; to try it now run `mcp-enrichment demo`.
Ctrl-D ends it."""


def serve_stdio() -> None:
    """Serve MCP on stdin and stdout until stdin is closed or a signal comes."""
    # Until there is something to put in order, Ctrl-C ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with frozen_imports():
        from mcp_enrichment.app.client import lazy_client
        from mcp_enrichment.app.preflight import check_settings
        from mcp_enrichment.cli.signals import exit_after_cleanup, run_until_signalled
        from mcp_enrichment.mcp.server import serve
        from mcp_enrichment.settings.types import Confirm

    make_nonblocking()
    try:
        chosen = load_settings()
        check_settings(chosen)
    except (click.UsageError, EnrichmentError) as wrong:
        serve_refusals(wrong)
    configure_logs(chosen)
    if sys.stdin is None or sys.stdout is None:
        raise click.ClickException(
            "stdin or stdout is closed, and MCP needs both. Start it from a chat client or a "
            "terminal."
        )
    if sys.stdin.isatty():
        click.echo(TERMINAL_HINT, err=True)

    async def run() -> None:
        async with lazy_client(chosen) as client:
            await serve(client, confirm=chosen.confirm is Confirm.ALWAYS)
            exit_after_cleanup()

    with export_spans():
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

    from mcp_enrichment.app.preflight import check_settings
    from mcp_enrichment.cli.http_server import listening_socket, serve_contract
    from mcp_enrichment.cli.logs import configure_json_logs

    chosen = load_settings()
    check_settings(chosen)
    configure_json_logs(chosen)
    with listening_socket(host, port) as listening, export_spans():
        anyio.run(serve_contract, chosen, listening, not no_jobs)


def configure_logs(chosen: Settings) -> None:
    """Our own logs at the chosen level; of libraries only warnings, as the rest holds data."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("mcp_enrichment").setLevel(chosen.log_level)
