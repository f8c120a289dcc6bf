"""A service of many profiles, whose names say whether they have an email."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from mcp_enrichment.contract.http import BATCH
from tests.support.scripted_server import replies

if TYPE_CHECKING:
    from anyio.abc import SocketStream

    from tests.support.scripted_server import ReceivedRequest


NO_CREDIT = {"code": "insufficient_credits", "message": "No credit is left."}


def hit(number: int) -> str:
    """A profile that has an email at the service."""
    return f"https://www.linkedin.com/in/hit-{number}"


def miss(number: int) -> str:
    return f"https://www.linkedin.com/in/miss-{number}"


class ListService:
    """Accepts requests for as long as there are credits, and ends each at its `ends`-th GET.

    With a `batch_limit` it honours idempotency keys, and says that it takes batches.
    """

    def __init__(
        self, *, credits_left: int = 1000, ends: int = 1, batch_limit: int | None = None
    ) -> None:
        self.credits_left = credits_left
        self.posted: list[str] = []
        """The names of the profiles whose requests were accepted."""
        self.batches: list[int] = []
        """The number of requests of each batch."""
        self.reads: dict[str, int] = {}
        self.most_held = 0
        self._ends = ends
        self._batch_limit = batch_limit
        self._by_key: dict[str, str] = {}
        self._held: set[str] = set()
        self._over: set[str] = set()
        self._changed = anyio.Event()

    def end(self, name: str) -> None:
        """End the request of this profile at its next GET."""
        self._over.add(name)

    def end_all(self) -> None:
        """End every request at its next GET."""
        self._ends = 0

    async def wait_until_posted(self, count: int) -> None:
        while len(self.posted) < count:
            await self._changed.wait()

    async def wait_until_read(self, name: str) -> None:
        """Wait for the next GET of this profile's request."""
        reads = self.reads.get(name, 0)
        while self.reads.get(name, 0) == reads:
            await self._changed.wait()

    @property
    def charged(self) -> int:
        return sum("hit" in one for one in self.posted if one not in self._held)

    async def __call__(self, stream: SocketStream, seen: ReceivedRequest) -> None:
        if seen.path == BATCH:
            await self._post_batch(stream, seen)
        elif seen.method == "POST":
            await self._post(stream, seen)
        else:
            await self._get(stream, seen)

    async def _post(self, stream: SocketStream, seen: ReceivedRequest) -> None:
        key = seen.headers["idempotency-key"] if self._batch_limit else ""
        replayed = {"idempotent-replayed": str(key in self._by_key).lower()} if key else {}
        body = self._accept(seen.json["linkedin_url"], key)
        await replies(201 if body else 402, body or {}, self._said() | replayed)(stream, seen)

    async def _post_batch(self, stream: SocketStream, seen: ReceivedRequest) -> None:
        if not self._batch_limit:
            await replies(404)(stream, seen)
            return
        requests = seen.json["requests"]
        self.batches.append(len(requests))
        results = []
        for one in requests:
            replayed = one["idempotency_key"] in self._by_key
            body = self._accept(one["linkedin_url"], one["idempotency_key"])
            accepted = {"status": 201, "enrichment": body, "idempotent_replayed": replayed}
            results.append(accepted if body else {"status": 402, "error": NO_CREDIT})
        await replies(200, {"results": results}, self._said())(stream, seen)

    def _said(self) -> dict[str, str]:
        return {"enrichment-batch-limit": str(self._batch_limit)} if self._batch_limit else {}

    def _accept(self, profile: str, key: str) -> dict[str, Any] | None:
        """The accepted request; None if no credit is left."""
        name = profile.rpartition("/")[2]
        body = {"_id": name, "status": "pending", "linkedin_url": profile}
        if key and self._by_key.setdefault(key, name) != name:
            raise AssertionError("a key was used for two profiles")
        if key and name in self.posted:
            return body
        if len(self._held) + self.charged >= self.credits_left:
            self._by_key.pop(key, None)
            return None
        self.posted.append(name)
        self._tell()
        self._held.add(name)
        self.most_held = max(self.most_held, len(self._held) + self.charged)
        return body

    async def _get(self, stream: SocketStream, seen: ReceivedRequest) -> None:
        name = seen.path.rpartition("/")[2]
        if name == "credits":
            left = self.credits_left - self.charged - len(self._held)
            await replies(200, {"balance": left, "held": len(self._held)}, self._said())(
                stream, seen
            )
            return
        self.reads[name] = self.reads.get(name, 0) + 1
        self._tell()
        body: dict[str, Any] = {
            "_id": name,
            "status": "pending",
            "linkedin_url": f"https://www.linkedin.com/in/{name}",
            "enrichment_type": "work_email",
        }
        if self.reads[name] >= self._ends or name in self._over:
            self._held.discard(name)
            email = {"email": f"{name}@example.com", "type": "work"} if "hit" in name else None
            body |= {"status": "completed" if email else "not-found", "email": email}
        await replies(200, body)(stream, seen)

    def _tell(self) -> None:
        """Wake those who wait for a request."""
        self._changed.set()
        self._changed = anyio.Event()
