"""The floor of the service: its HTTP server, and its rows by Python's own sqlite3.

Arguments: `FOLDER PORT`, with a database by `bench.stored.prepare` in the folder. A bare ASGI
application reads on the event loop. One thread writes: it commits all POSTs that wait together,
and they are answered after that. It validates, limits and logs nothing and runs no lookup.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import hmac
import json
import secrets
import sqlite3
import sys
import threading
import time
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from mcp_enrichment.cli.garbage_collection import GC_THRESHOLDS
from mcp_enrichment.cli.http_server import listening_socket, serve_app
from mcp_enrichment.credentials.secret_file import read_or_create_secret
from mcp_enrichment.service.db.sqlite import KEY_FILE
from mcp_enrichment.service.privacy.pseudonyms import Pseudonyms
from mcp_enrichment.service.queue.graceful_shutdown import GracefulShutdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Receive, Scope, Send

BUSY_SECONDS = 30.0

KEY = "SELECT max(hash), max(team_id) FROM api_keys WHERE id = ? AND revoked_at IS NULL"
RUNNING_DUPLICATE = """
    SELECT id, created_at FROM requests WHERE team_id = ? AND linkedin_url = ? AND type = ?
    AND status IN ('pending', 'processing')"""
HOLD = """
    UPDATE teams SET available = available - 1, held = held + 1 WHERE id = ? AND available > 0"""
ADD_REQUEST = """
    INSERT INTO requests (id, team_id, linkedin_url, type, status, external_id, created_at)
    VALUES (?, ?, ?, ?, 'pending', ?, ?)"""
ADD_ENTRY = """
    INSERT INTO ledger (team_id, request_id, kind, amount, available_after, at)
    VALUES (?1, ?2, 'hold', 1, (SELECT available FROM teams WHERE id = ?1), ?3)"""
ADD_JOB = """
    INSERT INTO jobs (target_id, kind, team_id, run_at, attempts) VALUES (?, 'look-up', ?, ?, 0)"""
READ = """
    SELECT status, linkedin_url, type, email, external_id, created_at, source, verification,
    checked_at FROM requests WHERE id = ? AND team_id = ?"""
SUPPRESSION = "SELECT kind FROM suppressions WHERE pseudonym = ? OR pseudonym = ?"


class New(NamedTuple):
    """A POST that waits for its commit."""

    team_id: int
    asked: dict[str, str]
    answer: asyncio.Future[tuple[str, float] | None]
    """The id and the time of acceptance; None without a free credit."""


class Writer:
    """One thread that writes all POSTs."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._waiting: SimpleQueue[New] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, daemon=True).start()

    async def accept(self, team_id: int, asked: dict[str, str]) -> tuple[str, float] | None:
        """Return when the request, its held credit and its job are on the disk."""
        answer: asyncio.Future[tuple[str, float] | None] = self._loop.create_future()
        self._waiting.put(New(team_id, asked, answer))
        return await answer

    def _run(self) -> None:
        db = connected(self._database)
        while True:
            group = [self._waiting.get()]
            while not self._waiting.empty():  # nobody else takes from it
                group.append(self._waiting.get())
            db.execute("BEGIN IMMEDIATE")
            accepted = [add(db, new) for new in group]
            db.execute("COMMIT")
            self._loop.call_soon_threadsafe(answer, group, accepted)


def answer(group: Sequence[New], accepted: Sequence[tuple[str, float] | None]) -> None:
    """Pass each result to its POST, unless the caller has disconnected."""
    for new, one in zip(group, accepted, strict=True):
        if not new.answer.done():
            new.answer.set_result(one)


def add(db: sqlite3.Connection, new: New) -> tuple[str, float] | None:
    """Join the running duplicate, or write the rows of a new request."""
    team_id, url, kind = new.team_id, new.asked["linkedin_url"], new.asked["type"]
    if running := db.execute(RUNNING_DUPLICATE, (team_id, url, kind)).fetchone():
        return running[0], running[1]
    if not db.execute(HOLD, (team_id,)).rowcount:
        return None  # nothing was written
    name, now = secrets.token_hex(12), time.time()
    external_id = new.asked.get("external_id")
    db.execute(ADD_REQUEST, (name, team_id, url, kind, external_id, now))
    db.execute(ADD_ENTRY, (team_id, name, now))
    db.execute(ADD_JOB, (name, team_id, now))
    return name, now


class Floor:
    """The ASGI application."""

    def __init__(self, folder: Path) -> None:
        self._db = connected(folder / "enrichment.db")
        self._writer = Writer(folder / "enrichment.db")
        self._pseudonyms = Pseudonyms(read_or_create_secret(folder / KEY_FILE))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        team_id = self._team(dict(scope["headers"]).get(b"x-api-key", b""))
        if team_id is None:
            await respond(send, 401, {})
        elif scope["method"] == "POST":
            await self._post(team_id, await body(receive), send)
        else:
            await self._get(team_id, scope["path"].rpartition("/")[2], send)

    def _team(self, key: bytes) -> int | None:
        stored, team_id = self._db.execute(KEY, (key.split(b"_")[1].decode(),)).fetchone()
        matches = hmac.compare_digest(stored or "", hashlib.sha256(key).hexdigest())
        return team_id if matches else None

    async def _post(self, team_id: int, asked: dict[str, str], send: Send) -> None:
        accepted = await self._writer.accept(team_id, asked)
        if accepted is None:
            await respond(send, 402, {})
            return
        told = {"_id": accepted[0], "status": "pending", "linkedin_url": asked["linkedin_url"]}
        await respond(send, 201, told | {"created_at": accepted[1]})

    async def _get(self, team_id: int, name: str, send: Send) -> None:
        row = self._db.execute(READ, (name, team_id)).fetchone()
        if row is None:
            await respond(send, 404, {})
            return
        status, url, kind, email, external_id, created_at, source, verification, checked_at = row
        if email and self._is_suppressed(url, email):
            status, email = "not-found", None
        told = {
            "_id": name,
            "status": status,
            "linkedin_url": url,
            "enrichment_type": f"{kind}_email",
            "email": email and {"email": email, "type": kind},
            "external_id": external_id,
            "credits_charged": int(email is not None and verification != "inferred"),
            "created_at": created_at,
            "source": source,
            "verification": verification,
            "checked_at": checked_at,
        }
        await respond(send, 200, {name: value for name, value in told.items() if value is not None})

    def _is_suppressed(self, url: str, email: str) -> bool:
        pair = self._pseudonyms.of_profile(url), self._pseudonyms.of_address(email)
        return self._db.execute(SUPPRESSION, pair).fetchone() is not None


async def body(receive: Receive) -> dict[str, str]:
    """The JSON of a request."""
    message = await receive()
    content: bytes = message["body"]
    while message.get("more_body"):
        message = await receive()
        content += message["body"]
    asked: dict[str, str] = json.loads(content)
    return asked


async def respond(send: Send, status: int, told: dict[str, Any]) -> None:
    """Answer with JSON."""
    content = json.dumps(told, separators=(",", ":")).encode()
    length = str(len(content)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def connected(database: Path) -> sqlite3.Connection:
    """A connection as durable as the service's own."""
    db = sqlite3.connect(database, timeout=BUSY_SECONDS, isolation_level=None)
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=FAST"):
        db.execute(f"PRAGMA {pragma}")
    return db


async def main(folder: Path, port: int) -> None:
    """Serve as `mcp-enrichment service` does, until a signal arrives."""
    with listening_socket("127.0.0.1", port) as listening:
        await serve_app(Floor(folder), GracefulShutdown(), listening, "the floor")


if __name__ == "__main__":
    gc.set_threshold(*GC_THRESHOLDS)  # as the service does
    gc.freeze()
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
