"""Connecting to a receiver of callbacks: to an address that was judged and no other."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING, Any

import anyio
import httpcore

from mcp_enrichment.service.callbacks.read_limited import Connection, ReadLimitedStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mcp_enrichment.service.callbacks.url_policy import CallbackURLPolicy

CONNECT_SECONDS = 3.0
"""For an address that is not the last one of its name: the next one is tried then."""


class AddressRefused(Exception):
    """The name resolves to an address that callbacks may not reach."""


class PinnedNetwork(httpcore.AsyncNetworkBackend):
    """Resolves a name once and connects to that very answer: it cannot change in between."""

    def __init__(self, rules: CallbackURLPolicy) -> None:
        self._rules = rules

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 (it is bounded outside)
        local_address: str | None = None,  # noqa: ARG002 (none is asked for)
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 (none are asked for)
    ) -> Connection:
        *others, last = await self._checked(host, port)
        for address in others:
            with anyio.move_on_after(CONNECT_SECONDS):
                try:
                    return await _connected(address, port)
                except OSError:
                    continue
        return await _connected(last, port)

    async def _checked(self, host: str, port: int) -> Sequence[str]:
        found = await _resolved(host, port)
        addresses = [str(entry[4][0]).split("%")[0] for entry in found]
        # One private address among public ones is refused too: which one is used is chance.
        if not all(self._rules.allows(ipaddress.ip_address(a)) for a in addresses):
            raise AddressRefused
        return list(dict.fromkeys(addresses))


async def _connected(address: str, port: int) -> Connection:
    return Connection(ReadLimitedStream(await anyio.connect_tcp(address, port)))


async def _resolved(host: str, port: int) -> Sequence[Any]:
    """What the name resolves to, first those that the system prefers. Raises `OSError`.

    Each look-up has a thread of its own: one whose name server hangs holds up no other, as it would
    in a pool, and as a daemon it does not hold up the end of the process either. There are no more
    of them than callbacks on their way in half a minute, after which a resolver gives up.
    """
    found: Future[Sequence[Any]] = Future()
    Thread(target=_resolve, args=(found, host, port), daemon=True).start()
    return await asyncio.wrap_future(found)


def _resolve(found: Future[Sequence[Any]], host: str, port: int) -> None:
    if not found.set_running_or_notify_cancel():
        return
    try:
        found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except OSError as error:
        found.set_exception(error)
    except UnicodeError:  # it is no host name at all
        found.set_exception(OSError("not a host name"))
