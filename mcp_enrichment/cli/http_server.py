"""uvicorn, with held answers let go when it is told to end."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

import click
import uvicorn

from mcp_enrichment.compose import served

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from mcp_enrichment.settings import Settings

SHUTDOWN_SECONDS = 10
"""For answers that are under way when the process is told to end."""


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, let_go: Callable[[], None]) -> None:
        super().__init__(config)
        self._let_go = let_go

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._let_go()
        super().handle_exit(sig, frame)


async def serve_http(settings: Settings, listening: socket.socket, jobs: bool = True) -> None:
    """Serve until told to end; then finish what is under way and give the leases back."""
    async with served(settings, jobs=jobs) as (app, let_go):
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        host, port, *_ = listening.getsockname()
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        click.echo(f"Serving on http://{where} (Ctrl-C ends it)", err=True)
        _survive_signals()
        await _Server(config, let_go).serve(sockets=[listening])


def listener(host: str, port: int) -> socket.socket:
    """A socket that listens, or one sentence on why none can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise click.ClickException(
            f"Port {port} of {host} cannot be used; another program may serve there. "
            "Choose another with --port."
        ) from error
    # Connections inherit it. asyncio sets it only where the socket names its protocol, and this one
    # does not: the second half of each answer would wait 40 ms for the caller's delayed ACK.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _survive_signals() -> None:
    # uvicorn ends in order at a signal, and then raises it again: that would kill the process
    # before its unfinished jobs are given back.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
