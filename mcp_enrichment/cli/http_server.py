"""uvicorn, with held answers and waits let go when it is told to end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import click
import uvicorn

from mcp_enrichment.app.service import service_app
from mcp_enrichment.cli.gc_freeze import frozen_imports
from mcp_enrichment.service.http.h11_protocol import BACKLOG, BoundedProtocol, connections_within

if TYPE_CHECKING:
    from types import FrameType

    from starlette.types import ASGIApp

    from mcp_enrichment.service.queue.graceful_shutdown import GracefulShutdown
    from mcp_enrichment.settings import Settings

logger = logging.getLogger(__name__)

GRACE_SECONDS = 7.5
"""For answers that are under way when the process is told to end; then it hangs up."""
SHUTDOWN_SECONDS = 8
"""Until uvicorn ends in any case; what is left of ten is for giving the leases back."""
DEFAULT_FILE_LIMIT = 65_536
"""Where the system knows no limit of its own."""


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, shutdown: GracefulShutdown) -> None:
        super().__init__(config)
        self._stopping = shutdown

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:  # told again; uvicorn's own way of it leaves a traceback in the log
            asyncio.get_running_loop().call_soon_threadsafe(self._cut)
        else:
            super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.begin()
        at_last = asyncio.get_running_loop().call_later(GRACE_SECONDS, self._hang_up)
        await super().shutdown(sockets)
        at_last.cancel()
        await self._stopping.over()

    def _cut(self) -> None:
        self._hang_up()
        self._stopping.cut()

    def _hang_up(self) -> None:
        # uvicorn would answer whoever is left with a 500 that is none of ours.
        for connection in list(self.server_state.connections):
            connection.transport.abort()


async def serve_contract(settings: Settings, listening: socket.socket, jobs: bool = True) -> None:
    """Serve until told to end; then finish what is under way and give the leases back."""
    async with service_app(settings, jobs=jobs) as (app, shutdown):
        await serve_app(app, shutdown, listening, f"Serving on {_where(listening)}")


async def serve_mcp(settings: Settings, listening: socket.socket, name: str) -> None:
    """Serve MCP until told to end; waits are then answered with what was last seen. `name`: of the
    address, as it was given."""
    host, port, *_ = listening.getsockname()
    async with AsyncExitStack() as stack:
        with frozen_imports():
            from mcp_enrichment.app.http import mcp_http_app

            serving = mcp_http_app(settings, host, port, name)
            app, shutdown = await stack.enter_async_context(serving)
        await serve_app(app, shutdown, listening, f"Serving MCP on {_where(listening)}/mcp")


async def serve_app(
    app: ASGIApp, shutdown: GracefulShutdown, listening: socket.socket, said: str
) -> None:
    """Serve until told to end, and then until all has ended that has its time for it; told again,
    no longer. `said`: the line that tells of it."""
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
    BoundedProtocol.most = connections_within(_raise_file_limit())
    logger.setLevel(logging.INFO)  # whoever starts it looks for this line, at every level
    logger.info("%s (Ctrl-C ends it)", said)
    _survive_signals()
    await _Server(config, shutdown).serve(sockets=[listening])


def _where(listening: socket.socket) -> str:
    host, port, *_ = listening.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def listening_socket(host: str, port: int) -> socket.socket:
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


def _raise_file_limit() -> int:
    """How many files this process may open, once that is as many as the system lets it."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return DEFAULT_FILE_LIMIT
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DEFAULT_FILE_LIMIT if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def _survive_signals() -> None:
    # uvicorn ends in order at a signal, and then raises it again: that would kill the process
    # before its unfinished jobs are given back.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
