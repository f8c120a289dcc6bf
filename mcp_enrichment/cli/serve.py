"""Serving MCP: on stdin and stdout, or over HTTP."""

from __future__ import annotations

import gc
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, NoReturn

import click

from mcp_enrichment.cli.errors import load_server_settings, load_settings
from mcp_enrichment.cli.garbage_collection import GC_THRESHOLDS, frozen_imports
from mcp_enrichment.cli.logs import configure_logs, make_nonblocking
from mcp_enrichment.cli.otel import export_spans
from mcp_enrichment.contract.defaults import INVALID_SETTINGS_EXIT
from mcp_enrichment.contract.errors import EnrichmentError, Unauthorized
from mcp_enrichment.contract.explanation import invalid_setting

if TYPE_CHECKING:
    import socket

    from mcp_enrichment.client.scoped import ToolClient
    from mcp_enrichment.mcp.stdio.early import EarlyAnswers
    from mcp_enrichment.settings import Settings

HOST = "127.0.0.1"
PORT = 8701
TERMINAL_HINT = """\
This is an MCP server: a chat client starts it and talks to it over stdin and stdout.
To set one up see `mcp-enrichment setup --help`; to try it now run `mcp-enrichment demo`.
Ctrl-D ends it."""


@click.command()
@click.option("--http", "over_http", is_flag=True, help="Serve Streamable HTTP, at /mcp.")
@click.option("--host", default=HOST, show_default=True, help="Address to listen on.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65535))
@click.pass_obj
def serve(early: EarlyAnswers | None, over_http: bool, host: str, port: int) -> None:
    """Serve MCP: on stdin and stdout, or over HTTP to many clients.

    Over HTTP each caller needs a credential, as an API key: `mcp-enrichment teams add NAME`, then
    `… keys create NAME`.
    """
    if over_http:
        _serve_http(host, port)
    elif (host, port) == (HOST, PORT):
        serve_stdio(early)
    else:
        raise click.UsageError("--host and --port are for --http.")


def _serve_http(host: str, port: int) -> None:
    import anyio

    from mcp_enrichment.cli.http_server import listening_socket

    gc.set_threshold(*GC_THRESHOLDS)
    settings = load_server_settings()
    with listening_socket(host, port) as listening, export_spans():
        anyio.run(_serve_app, settings, listening, host)


async def _serve_app(settings: Settings, listening: socket.socket, name: str) -> None:
    """Serve MCP until a signal arrives. Open waits are then answered with the last known results.
    `name`: the host name of the option."""
    from mcp_enrichment.cli.http_server import root_url, serve_app

    host, port, *_ = listening.getsockname()
    async with AsyncExitStack() as stack:
        with frozen_imports():
            from mcp_enrichment.app.http import mcp_http_app

            serving = mcp_http_app(settings, host, port, name)
            app, shutdown = await stack.enter_async_context(serving)
        await serve_app(app, shutdown, listening, f"Serving MCP on {root_url(listening)}/mcp")


def serve_stdio(early: EarlyAnswers | None = None) -> None:
    """Serve MCP on stdin and stdout until stdin is closed or a signal arrives.

    `early`: answers the client's first requests meanwhile.
    """
    with frozen_imports():
        from mcp_enrichment.app.client import lazy_client
        from mcp_enrichment.app.preflight import check_settings
        from mcp_enrichment.cli.signals import exit_after_cleanup, run_until_signalled
        from mcp_enrichment.mcp.server import serve as serve_server
        from mcp_enrichment.settings.types import Confirm

    make_nonblocking()
    try:
        settings = load_settings()
        check_settings(settings)
    except (click.UsageError, EnrichmentError) as error:
        _serve_error(error, early)
    configure_logs(settings)
    if sys.stdin is None or sys.stdout is None:
        raise click.ClickException(
            "stdin or stdout is closed, and MCP needs both. Start it from a chat client or a "
            "terminal."
        )
    if sys.stdin.isatty():
        click.echo(TERMINAL_HINT, err=True)

    async def run() -> None:
        async with lazy_client(settings) as client:
            confirm = settings.confirm is Confirm.ALWAYS
            await serve_server(client, confirm=confirm, early=early)
            exit_after_cleanup()

    with export_spans():
        run_until_signalled(run)


def _serve_error(error: click.UsageError | EnrichmentError, early: EarlyAnswers | None) -> NoReturn:
    """Serve MCP, answer each call with the error, and end with exit code 2.

    A chat client whose server exits at once only shows "disconnected", and few people find the log
    that has its stderr. At a terminal the process ends at once.
    """
    from mcp_enrichment.cli.signals import exit_after_cleanup, run_until_signalled
    from mcp_enrichment.mcp.server import serve as serve_server

    if sys.stdin is None or sys.stdout is None or sys.stdin.isatty():
        raise error
    answer: EnrichmentError
    if isinstance(error, click.UsageError):
        message, answer = error.message, Unauthorized(invalid_setting(error.message))
    else:
        message, answer = error.to_person(), error
    click.echo(f"Error: {message}", err=True)

    async def fail() -> ToolClient:
        raise answer

    async def run() -> None:
        await serve_server(fail, early=early)
        exit_after_cleanup(INVALID_SETTINGS_EXIT)

    run_until_signalled(run)
    sys.exit(INVALID_SETTINGS_EXIT)
