"""Load over kept-alive connections on loopback, light enough not to be what is measured."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Figures:
    """What a run gave."""

    per_second: float
    p50: float
    """Milliseconds."""
    p99: float

    def __str__(self) -> str:
        return f"{self.per_second:7.0f}/s  p50 {self.p50:6.1f} ms  p99 {self.p99:6.1f} ms"


async def load(
    port: int, connections: int, seconds: float, request: Callable[[], bytes], status: bytes
) -> Figures:
    """Send what `request` makes, again and again on each connection; check every answer."""
    taken: list[float] = []
    until = time.perf_counter() + seconds
    began = time.perf_counter()
    await asyncio.gather(*(_one(port, until, request, status, taken) for _ in range(connections)))
    return figures_of(taken, time.perf_counter() - began)


def figures_of(taken: list[float], elapsed: float) -> Figures:
    """The figures of so many events of these durations in so many seconds."""
    ordered = sorted(taken)
    p50, p99 = (ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.99))
    return Figures(len(ordered) / elapsed, p50, p99)


async def _one(
    port: int, until: float, request: Callable[[], bytes], status: bytes, taken: list[float]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        began = time.perf_counter()
        writer.write(request())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 " + status), head
        length = head.lower().split(b"content-length:")[1].split(b"\r\n")[0]
        await reader.readexactly(int(length))
        taken.append(time.perf_counter() - began)
    writer.close()


def get(path: str, **headers: str) -> bytes:
    """A GET as bytes."""
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{fields}\r\n".encode()


def post(path: str, body: bytes, **headers: str) -> bytes:
    """A POST of JSON as bytes."""
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n{fields}\r\n".encode() + body
