"""Opening the console for the person at this machine."""

from __future__ import annotations

import webbrowser
from threading import Thread
from typing import TYPE_CHECKING

import anyio
import click

from mcp_enrichment.cli.errors import load_server_settings

if TYPE_CHECKING:
    import socket

    from mcp_enrichment.settings import Settings

HOST = "127.0.0.1"


@click.command()
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="0: any free port.")
@click.option("--no-browser", is_flag=True, help="Print the link only.")
def console(port: int, no_browser: bool) -> None:
    """Show the embedded service in a browser: lookups, sources, credits, callbacks, privacy.

    It is served on this machine only. The link opens it once. Nothing is looked up meanwhile, so
    no credit is spent. A team's service shows its console to operators at /console.
    """
    from mcp_enrichment.cli.http_server import listening_socket

    settings = load_server_settings()
    if not settings.is_embedded:
        raise click.UsageError(
            "Run this where the service runs, with ENRICHMENT_API_KEY and ENRICHMENT_API_URL unset."
        )
    with listening_socket(HOST, port) as listening:
        anyio.run(_serve, settings, listening, not no_browser)


async def _serve(settings: Settings, listening: socket.socket, in_browser: bool) -> None:
    """Serve until a signal arrives."""
    from mcp_enrichment.app.console import local_console
    from mcp_enrichment.cli.doctor import service_findings
    from mcp_enrichment.cli.http_server import root_url, serve_app

    async with local_console(settings, service_findings) as (app, shutdown, token):
        link = f"{root_url(listening)}/console/open?token={token}"
        click.echo(link)
        if in_browser:
            # A browser of the terminal ends with its last page, so it must not be waited for.
            Thread(target=webbrowser.open, args=(link,), daemon=True).start()
        opened = "The console is open"
        await serve_app(app, shutdown, listening, opened, behind_proxy=False)
