"""A load generator over keep-alive connections on loopback, with little overhead of its own."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Run:
    """The measurements of one run."""

    taken: Sequence[float]
    """Seconds of each event."""
    elapsed: float
    """Seconds of the whole run."""


@dataclass(frozen=True)
class Figures:
    """The combined figures of several runs of the same load."""

    per_second: float
    """The median of the runs."""
    p50: float
    """Milliseconds, over the events of all runs, as `p99`."""
    p99: float

    def __str__(self) -> str:
        return f"{self.per_second:7.0f}/s  p50 {self.p50:6.1f} ms  p99 {self.p99:6.1f} ms"


def figures_of(runs: Sequence[Run]) -> Figures:
    """The figures of these runs."""
    ordered = sorted(itertools.chain.from_iterable(run.taken for run in runs))
    p50, p99 = (ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.99))
    rate = statistics.median(len(run.taken) / run.elapsed for run in runs)
    return Figures(rate, p50, p99)


async def load(
    port: int, connections: int, seconds: float, request: Callable[[], bytes], status: bytes
) -> Run:
    """Send the result of `request` repeatedly on each connection; check every answer."""
    taken: list[float] = []
    began = time.perf_counter()
    until = began + seconds
    await asyncio.gather(*(_one(port, until, request, status, taken) for _ in range(connections)))
    return Run(taken, time.perf_counter() - began)


async def _one(
    port: int, until: float, request: Callable[[], bytes], status: bytes, taken: list[float]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        began = time.perf_counter()
        await _answer(reader, writer, request(), status)
        taken.append(time.perf_counter() - began)
    writer.close()


async def answer_to(port: int, request: bytes, status: bytes) -> bytes:
    """The body of one answer, over its own connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = await _answer(reader, writer, request, status)
    writer.close()
    return body


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, status: bytes
) -> bytes:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status), head
    length = head.lower().split(b"content-length:")[1].split(b"\r\n")[0]
    return await reader.readexactly(int(length))


def get(path: str, **headers: str) -> bytes:
    """A GET as bytes."""
    return _head(f"GET {path}", headers)


def post(path: str, body: bytes, **headers: str) -> bytes:
    """A POST of JSON as bytes."""
    of_body = {"content_type": "application/json", "content_length": str(len(body))}
    return _head(f"POST {path}", of_body | headers) + body


def _head(asked: str, headers: dict[str, str]) -> bytes:
    named = {"host": "127.0.0.1"} | headers
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items())
    return f"{asked} HTTP/1.1\r\n{fields}\r\n".encode()
