"""A scripted server that receives spans, in the format of the OpenTelemetry protocol."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.scripted_server import ReceivedRequest, replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from anyio.abc import SocketStream
    from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Collector:
    """Pass it to `ScriptedServer.always`."""

    spans: dict[str, Span] = field(default_factory=dict)
    """The last one of each name."""
    everything: bytes = b""
    services: set[str] = field(default_factory=set)
    _more: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self, stream: SocketStream, seen: ReceivedRequest) -> None:
        assert (seen.method, seen.path) == ("POST", "/v1/traces")
        self.everything += seen.body
        for resource in ExportTraceServiceRequest.FromString(seen.body).resource_spans:
            named = {one.key: one.value.string_value for one in resource.resource.attributes}
            self.services.add(named["service.name"])
            for scope in resource.scope_spans:
                self.spans |= {span.name: span for span in scope.spans}
        self._more.set()
        self._more = anyio.Event()
        await replies(200)(stream, seen)

    async def has(self, *names: str) -> None:
        """Return once it has a span of each name."""
        with anyio.fail_after(HANG):
            while not self.spans.keys() >= set(names):
                await self._more.wait()
