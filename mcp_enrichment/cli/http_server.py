"""uvicorn with a graceful shutdown that releases held responses and waits."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from typing import TYPE_CHECKING

import click
import uvicorn

from mcp_enrichment.service.http.h11_protocol import BACKLOG, BoundedProtocol, connections_within

if TYPE_CHECKING:
    from types import FrameType

    from starlette.types import ASGIApp

    from mcp_enrichment.service.queue.graceful_shutdown import GracefulShutdown

logger = logging.getLogger(__name__)

GRACE_SECONDS = 7.5
"""Seconds that open responses may take after the signal. Then connections are closed."""
SHUTDOWN_SECONDS = 8
"""The limit of uvicorn's shutdown. The rest of 10 s is for releasing leases."""
DEFAULT_FILE_LIMIT = 65_536
"""If the system has no limit."""


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, shutdown: GracefulShutdown) -> None:
        super().__init__(config)
        self._stopping = shutdown

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:  # the second signal; uvicorn would log a traceback
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
        # uvicorn would send its own 500 on open connections.
        for connection in list(self.server_state.connections):
            connection.transport.abort()


async def serve_app(
    app: ASGIApp,
    shutdown: GracefulShutdown,
    listening: socket.socket,
    start_line: str,
    *,
    behind_proxy: bool = True,
) -> None:
    """Serve until a signal arrives, then shut down gracefully. A second signal ends it at once.
    `start_line`: the line that is logged at the start. `behind_proxy`: whether a proxy on this
    machine may name the caller's address in a header."""
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=behind_proxy,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    BoundedProtocol.most = connections_within(_raise_file_limit())
    logger.setLevel(logging.INFO)  # this line is logged at every level
    logger.info("%s (Ctrl-C ends it)", start_line)
    # uvicorn shuts down gracefully at a signal and raises it again afterwards. That would kill the
    # process before its unfinished jobs are released.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    await _Server(config, shutdown).serve(sockets=[listening])


def root_url(listening: socket.socket) -> str:
    """The URL under which the socket is reached on this machine."""
    host, port, *_ = listening.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def listening_socket(host: str, port: int) -> socket.socket:
    """A listening socket. Ends the command with one sentence if there can be none."""
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
    # Connections inherit this option. asyncio sets it only for sockets with a protocol number, and
    # without it the second segment of each response waits 40 ms for the caller's delayed ACK.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _raise_file_limit() -> int:
    """Raise the limit of open files as far as the system allows, and return it."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return DEFAULT_FILE_LIMIT
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DEFAULT_FILE_LIMIT if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
