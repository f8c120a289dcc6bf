"""uvicorn, with held answers let go when it is told to end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from typing import TYPE_CHECKING

import click
import uvicorn

from mcp_enrichment.compose import served
from mcp_enrichment.service.http.protocol import BACKLOG, BoundedProtocol, connections_within

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from mcp_enrichment.settings import Settings

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 7.5
"""For answers that are under way when the process is told to end; then it hangs up."""
SHUTDOWN_SECONDS = 8
"""Until uvicorn ends in any case; what is left of ten is for giving the leases back."""
ENOUGH_FILES = 65_536
"""Where the system knows no limit of its own."""


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, let_go: Callable[[], None]) -> None:
        super().__init__(config)
        self._let_go = let_go

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._let_go()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        cut = asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._hang_up)
        await super().shutdown(sockets)
        cut.cancel()

    def _hang_up(self) -> None:
        # uvicorn would answer whoever is left with a 500 that is none of ours.
        for connection in list(self.server_state.connections):
            connection.transport.abort()


async def serve_http(settings: Settings, listening: socket.socket) -> None:
    """Serve until told to end; then finish what is under way and give the leases back."""
    BoundedProtocol.most = connections_within(_files())
    async with served(settings) as (app, let_go):
        config = uvicorn.Config(
            app,
            http=BoundedProtocol,
            ws="none",
            backlog=BACKLOG,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        host, port, *_ = listening.getsockname()
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        logger.setLevel(logging.INFO)  # whoever starts it looks for this line, at every level
        logger.info("Serving on http://%s (Ctrl-C ends it)", where)
        _survive_signals()
        await _Server(config, let_go).serve(sockets=[listening])


def listener(host: str, port: int) -> socket.socket:
    """A socket that listens, or one sentence on why none can."""
    if not host:
        raise click.ClickException("--host is empty; 0.0.0.0 would listen on every interface.")
    try:
        socket.getaddrinfo(host, port)
    except (OSError, UnicodeError) as error:
        raise click.ClickException("--host is not an address or a name of this machine.") from error
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


def _files() -> int:
    """How many files this process may open, once that is as many as the system lets it."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return ENOUGH_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH_FILES if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def _survive_signals() -> None:
    # uvicorn ends in order at a signal, and then raises it again: that would kill the process
    # before its unfinished jobs are given back.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
