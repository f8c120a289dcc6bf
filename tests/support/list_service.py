"""A service of many profiles, whose names say whether they have an email."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio

from tests.support.scripted_server import replies

if TYPE_CHECKING:
    from anyio.abc import SocketStream

    from tests.support.scripted_server import ReceivedRequest


def hit(number: int) -> str:
    """A profile that has an email at the service."""
    return f"https://www.linkedin.com/in/hit-{number}"


def miss(number: int) -> str:
    return f"https://www.linkedin.com/in/miss-{number}"


class ListService:
    """Accepts requests for as long as there are credits, and ends each at its `ends`-th GET."""

    def __init__(self, *, credits_left: int = 1000, ends: int = 1) -> None:
        self.credits_left = credits_left
        self.posted: list[str] = []
        self.reads: dict[str, int] = {}
        self.most_held = 0
        self._ends = ends
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
        if seen.method == "POST":
            await self._post(stream, seen)
        else:
            await self._get(stream, seen)

    async def _post(self, stream: SocketStream, seen: ReceivedRequest) -> None:
        profile = json.loads(seen.body)["linkedin_url"]
        if len(self._held) + self.charged >= self.credits_left:
            await replies(402)(stream, seen)
            return
        name = profile.rpartition("/")[2]
        self.posted.append(name)
        self._tell()
        self._held.add(name)
        self.most_held = max(self.most_held, len(self._held) + self.charged)
        await replies(201, {"_id": name, "status": "pending", "linkedin_url": profile})(
            stream, seen
        )

    async def _get(self, stream: SocketStream, seen: ReceivedRequest) -> None:
        name = seen.path.rpartition("/")[2]
        if name == "credits":
            left = self.credits_left - self.charged - len(self._held)
            await replies(200, {"balance": left, "held": len(self._held)})(stream, seen)
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
