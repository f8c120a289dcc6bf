"""Serving MCP by name: over stdio, as without any command, or over HTTP."""

from __future__ import annotations

import gc

import click

from mcp_enrichment.cli.errors import load_settings
from mcp_enrichment.cli.stdio_server import serve_stdio

GC_THRESHOLDS = (5_000, 20, 100)
"""When the garbage collector looks: ten thousand waits are millions of objects, none of them
garbage, and to look through them all takes seconds in which nobody is answered. It looks at new
ones in parts that take a tenth of a second at most, and at all of them once that may free a
gigabyte."""
HOST = "127.0.0.1"
PORT = 8701


@click.command()
@click.option("--http", "over_http", is_flag=True, help="Serve Streamable HTTP, at /mcp.")
@click.option("--host", default=HOST, show_default=True, help="Address to listen on.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65535))
def serve(over_http: bool, host: str, port: int) -> None:
    """Serve MCP: on stdin and stdout, or over HTTP to many clients.

    Over HTTP each caller needs a credential, as an API key: `mcp-enrichment teams add NAME`, then
    `… keys create NAME`.
    """
    if over_http:
        _serve_http(host, port)
    elif (host, port) == (HOST, PORT):
        serve_stdio()
    else:
        raise click.UsageError("--host and --port are for --http.")


def _serve_http(host: str, port: int) -> None:
    import anyio

    from mcp_enrichment.app.preflight import check_settings
    from mcp_enrichment.cli.http_server import listening_socket, serve_mcp
    from mcp_enrichment.cli.logs import configure_json_logs
    from mcp_enrichment.cli.otel import export_spans

    gc.set_threshold(*GC_THRESHOLDS)
    chosen = load_settings()
    check_settings(chosen)
    configure_json_logs(chosen)
    with listening_socket(host, port) as listening, export_spans():
        anyio.run(serve_mcp, chosen, listening, host)
