"""Webhooks of a vendor: each request gets a callback URL of ours, and a webhook triggers a poll.

The body of a webhook is never trusted. It only triggers one poll.
"""

from __future__ import annotations

import hmac
import logging
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import anyio

from mcp_enrichment.client import poll_schedule
from mcp_enrichment.client.state.sqlite_file import (
    Schema,
    SQLiteFile,
    SQLiteStore,
    read_transaction,
    transaction,
)
from mcp_enrichment.contract.defaults import DAY
from mcp_enrichment.contract.digests import mac_of
from mcp_enrichment.contract.errors import StorageFailed

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

    from mcp_enrichment.contract.models import EnrichmentBody, EnrichmentRequest

logger = logging.getLogger(__name__)

CHECK_INTERVAL = 0.1
"""Seconds between two checks for webhooks that another process has received."""
MAX_CACHED = 10_000
"""Requests whose last response is cached, so that a new wait need not start with a poll."""
TAG_BYTES = 16
_TOKEN = re.compile(rf"([A-Za-z0-9_-]{{1,128}})\.[0-9a-f]{{{2 * TAG_BYTES}}}")
BUSY_TIMEOUT = 2.0
"""Seconds that one process waits for another's transaction."""
KEPT_SECONDS = DAY
"""After which rows are deleted, and a webhook is no longer expected."""
MAX_NOTIFICATIONS = 10
"""Webhooks of one request that are saved; a vendor makes three attempts."""

SCHEMA = Schema(
    version=2,
    tables="""
CREATE TABLE expected (
    key TEXT PRIMARY KEY, enrichment_id TEXT NOT NULL, at REAL NOT NULL
) STRICT;
CREATE INDEX expected_by_id ON expected (enrichment_id);
CREATE TABLE notified (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, at REAL NOT NULL
) STRICT;
CREATE INDEX notified_by_key ON notified (key);
CREATE TABLE missed (at REAL NOT NULL) STRICT;
""",
    contains="the record of expected webhooks",
    if_lost="the lookups in it are polled",
)


class Expected(NamedTuple):
    """A request whose webhook is expected."""

    last: EnrichmentBody | None = None
    """The last response."""
    pause: float = 0.0
    """Seconds until it is polled anyway."""


class _Cached(NamedTuple):
    body: EnrichmentBody
    at: float


class Webhooks:
    """The webhooks of one account, for all processes that share the file and the secret."""

    def __init__(self, *, url: str, secret: bytes, file: WebhookStore) -> None:
        """`url`: the callback URL without the token of a request."""
        self._url = url
        self._secret = secret
        self._file = file
        self._cache: dict[str, _Cached] = {}
        self._arrived = anyio.Event()
        self._is_enabled = True

    def with_callback_url(self, request: EnrichmentRequest, key: str) -> EnrichmentRequest:
        """Add our callback URL, unless the caller has set one or the vendor accepts none.

        The same key always gives the same URL.
        """
        if request.callback_url is not None or not self._is_enabled:
            return request
        return request.model_copy(update={"callback_url": f"{self._url}/{key}.{self._tag(key)}"})

    def disable(self) -> None:
        """Add our callback URL to no further request: the vendor refuses it."""
        self._is_enabled = False
        logger.warning("the service refuses callbacks to ENRICHMENT_PUBLIC_URL: it is polled")

    async def expect(self, key: str, accepted: EnrichmentBody) -> None:
        """Expect a webhook for this accepted request."""
        self._save_in_cache(accepted)
        try:
            await self._file.expect(key, accepted.id)
        except StorageFailed:
            logger.warning("could not record that a webhook is expected")

    async def expected(self, enrichment_id: str) -> Expected | None:
        """The expected webhook of this request, with the seconds to wait for it; None if the
        request is polled."""
        try:
            is_expected = await self._file.is_expected(enrichment_id)
        except StorageFailed:
            return None
        if not is_expected:
            return None
        cached = self._cache.get(enrichment_id)
        if cached is None:
            return Expected()
        due = cached.at + poll_schedule.WEBHOOK_POLL_INTERVAL - anyio.current_time()
        return Expected(cached.body, max(due, 0.0))

    async def record_poll(self, body: EnrichmentBody, *, notified: bool) -> None:
        """Save the response of a poll. `notified`: a webhook has triggered it."""
        if not body.status.is_final:
            self._save_in_cache(body)
            return
        self._cache.pop(body.id, None)
        if not notified:
            # All processes poll from now on, until a webhook arrives.
            with suppress(StorageFailed):
                await self._file.miss()
            logger.warning(
                "a lookup has ended and no webhook came: is ENRICHMENT_PUBLIC_URL right?"
            )

    async def notify(self, token: str) -> bool:
        """Save that a webhook came with this token; False if the token is not ours.

        Raises `StorageFailed`.
        """
        found = _TOKEN.fullmatch(token)
        if found is None or not hmac.compare_digest(token, f"{found[1]}.{self._tag(found[1])}"):
            return False
        await self._file.notify(found[1])
        self._arrived.set()
        return True

    def close(self) -> None:
        """Close the file. A later webhook opens it again."""
        self._file.close()

    async def arrival(self) -> None:
        """Wait until a webhook has arrived, or another process may have received one."""
        with anyio.move_on_after(CHECK_INTERVAL):
            await self._arrived.wait()
        self._arrived = anyio.Event()

    async def arrived_since(self, number: int) -> tuple[int, Sequence[str]]:
        """The ids of the webhooks that came after this number, and the number to pass next."""
        try:
            return await self._file.notified_since(number)
        except StorageFailed:
            return number, []  # each wait still polls, if later

    def _save_in_cache(self, body: EnrichmentBody) -> None:
        self._cache.pop(body.id, None)
        self._cache[body.id] = _Cached(body, anyio.current_time())
        if len(self._cache) > MAX_CACHED:
            del self._cache[next(iter(self._cache))]

    def _tag(self, key: str) -> str:
        return mac_of(self._secret, "webhook", key, size=TAG_BYTES).hex()


class WebhookStore(SQLiteStore):
    """The webhooks that are expected and those that have arrived, for all processes of one machine.

    Every method raises `StorageFailed`.
    """

    def __init__(self, path: Path) -> None:
        self._file = SQLiteFile(path, SCHEMA, busy_timeout=BUSY_TIMEOUT)

    @transaction
    def expect(self, db: sqlite3.Connection, key: str, enrichment_id: str) -> None:
        """Save the id of the request that was made with this key."""
        now = time.time()
        for table in ("expected", "notified", "missed"):
            db.execute(f"DELETE FROM {table} WHERE at < ?", (now - KEPT_SECONDS,))  # noqa: S608
        db.execute("INSERT OR REPLACE INTO expected VALUES (?, ?, ?)", (key, enrichment_id, now))

    @transaction
    def notify(self, db: sqlite3.Connection, key: str) -> None:
        """Save a webhook for the request of this key. The id may not be known yet."""
        few = "(SELECT count(*) FROM notified WHERE key = ?) < ?"
        db.execute(
            f"INSERT INTO notified (key, at) SELECT ?, ? WHERE {few}",
            (key, time.time(), key, MAX_NOTIFICATIONS),
        )

    @transaction
    def miss(self, db: sqlite3.Connection) -> None:
        """Save that a request became final and no webhook came."""
        db.execute("INSERT INTO missed VALUES (?)", (time.time(),))

    @read_transaction
    def is_expected(self, db: sqlite3.Connection, enrichment_id: str) -> bool:
        """Whether a webhook for this request is still to come.

        False after one was missed, until another one arrives.
        """
        query = """
            SELECT EXISTS (SELECT 1 FROM expected WHERE enrichment_id = :id)
            AND NOT EXISTS (
                SELECT 1 FROM notified JOIN expected USING (key) WHERE enrichment_id = :id
            )
            AND coalesce((SELECT max(at) FROM missed), 0)
                <= coalesce((SELECT max(at) FROM notified), 0)"""
        return bool(db.execute(query, {"id": enrichment_id}).fetchone()[0])

    @read_transaction
    def notified_since(self, db: sqlite3.Connection, number: int) -> tuple[int, Sequence[str]]:
        """The ids of the webhooks that came after this number, and the number to pass next."""
        query = (
            "SELECT number, enrichment_id FROM notified LEFT JOIN expected USING (key)"
            " WHERE number > ?"
        )
        found = db.execute(query, (number,)).fetchall()
        last = max((row[0] for row in found), default=number)
        return last, [row[1] for row in found if row[1] is not None]
