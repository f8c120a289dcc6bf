"""Answers of a service for the scripted server: bodies of the contract, and a small service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from tests.support.scripted_server import Behaviour, replies

if TYPE_CHECKING:
    from anyio.abc import SocketStream

    from tests.support.scripted_server import ReceivedRequest

PROFILE = "https://www.linkedin.com/in/ada"
ADDRESS = "ada@example.com"
HTML = b"<!doctype html><html><title>502 Bad Gateway</title></html>"


def enrichment(enrichment_id: str = "e1", status: str = "pending", **more: Any) -> dict[str, Any]:
    """The contract's `Enrichment`."""
    return {"_id": enrichment_id, "status": status, "linkedin_url": PROFILE, **more}


def found(enrichment_id: str = "e1") -> dict[str, Any]:
    email = {"email": ADDRESS, "type": "work"}
    return enrichment(enrichment_id, "completed", enrichment_type="work_email", email=email)


def missed(enrichment_id: str = "e1") -> dict[str, Any]:
    return enrichment(enrichment_id, "not-found", email=None)


def accepts(enrichment_id: str = "e1", *, replayed: bool | None = None) -> Behaviour:
    """A 201; `replayed`: as of a server that honours `Idempotency-Key`."""
    headers = {} if replayed is None else {"idempotent-replayed": str(replayed).lower()}
    return replies(201, enrichment(enrichment_id), headers)


async def knows_all_but_gone(stream: SocketStream, seen: ReceivedRequest) -> None:
    """Answers each GET with the enrichment, except for the id `gone`."""
    known = not seen.path.endswith("/gone")
    body = enrichment(seen.path.rpartition("/")[2])
    await replies(200 if known else 404, body if known else HTML)(stream, seen)


class ContractServer:
    """A small service: accepts every request, and completes it when the test says so.

    Pass it to `ScriptedServer.always`. `holds`: it applies `Prefer: wait`. `takes`: seconds for an
    answer.
    """

    def __init__(
        self, *, supports_idempotency: bool = False, holds: bool = False, takes: float = 0.0
    ) -> None:
        self.most_in_flight = 0
        self.posted = anyio.Event()
        self.read = anyio.Event()
        self._supports_idempotency, self._holds, self._takes = supports_idempotency, holds, takes
        self._in_flight = 0
        self._ids: dict[str, str] = {}
        self._ended: dict[str, dict[str, Any]] = {}
        self._changed = anyio.Event()

    @property
    def accepted(self) -> int:
        """The number of different requests that it has accepted."""
        return len(self._ids)

    def end(self, body: dict[str, Any]) -> None:
        """From now on a GET returns this body."""
        self._ended[body["_id"]] = body
        self._changed.set()
        self._changed = anyio.Event()

    async def __call__(self, stream: SocketStream, seen: ReceivedRequest) -> None:
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            await anyio.sleep(self._takes)
            await (self._post if seen.method == "POST" else self._get)(stream, seen)
        finally:
            self._in_flight -= 1

    async def _post(self, stream: SocketStream, seen: ReceivedRequest) -> None:
        self.posted.set()
        key = seen.headers["idempotency-key"] if self._supports_idempotency else str(len(self._ids))
        replayed = (key in self._ids) if self._supports_idempotency else None
        enrichment_id = self._ids.setdefault(key, f"e{len(self._ids) + 1}")
        await accepts(enrichment_id, replayed=replayed)(stream, seen)

    async def _get(self, stream: SocketStream, seen: ReceivedRequest) -> None:
        self.read.set()
        enrichment_id = seen.path.rpartition("/")[2]
        wait = seen.headers["prefer"].removeprefix("wait=")
        if self._holds:
            with anyio.move_on_after(float(wait)):
                while enrichment_id not in self._ended:
                    await self._changed.wait()
        headers = {"preference-applied": f"wait={wait}"} if self._holds else {}
        body = self._ended.get(enrichment_id, enrichment(enrichment_id))
        await replies(200, body, headers)(stream, seen)
