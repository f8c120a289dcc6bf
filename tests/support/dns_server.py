"""A name server on loopback with scripted answers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from anyio.abc import SocketAttribute
from dns.asyncresolver import Resolver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import UDPSocket

SILENCE = None
"""No answer at all."""
Zone = Mapping[str, Mapping[str, list[str]] | dns.rcode.Rcode | None]


@dataclass
class DNSServer:
    """Its zone: for each name the records of each kind, or the error of the name."""

    zone: Zone
    port: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)

    def resolver(self) -> Resolver:
        """A resolver that uses this server only."""
        resolver = Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], self.port
        return resolver

    def answer(self, wire: bytes) -> bytes | None:
        question = dns.message.from_wire(wire)
        one = question.question[0]
        name, kind = one.name.to_text(omit_final_dot=True), one.rdtype.name
        self.asked.append((name, kind))
        said = self.zone.get(name, dns.rcode.NXDOMAIN)
        if said is SILENCE:
            return None
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.AA | dns.flags.RA
        if isinstance(said, dns.rcode.Rcode):
            answer.set_rcode(said)
        elif kind in said:
            answer.answer.append(dns.rrset.from_text(one.name, 300, "IN", kind, *said[kind]))
        return answer.to_wire()


@asynccontextmanager
async def dns_server(
    zone: Zone,
) -> AsyncIterator[DNSServer]:
    """The server, listening until the end of the block."""
    async with (
        await anyio.create_udp_socket(local_host="127.0.0.1") as socket,
        anyio.create_task_group() as tasks,
    ):
        server = DNSServer(zone, port=socket.extra(SocketAttribute.local_port))
        tasks.start_soon(_serve, socket, server)
        yield server
        tasks.cancel_scope.cancel()


async def _serve(socket: UDPSocket, server: DNSServer) -> None:
    async for wire, (host, port) in socket:
        if (answer := server.answer(wire)) is not None:
            await socket.sendto(answer, host, port)
