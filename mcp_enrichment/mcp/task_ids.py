"""A task whose id holds all there is to know of it, so that any process can answer for it.

The id holds what is waited for and since when, and a signature that only the account can make.
Whether the caller may read the enrichments is asked anew each time, of the service.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from mcp_enrichment.contract.http import ENRICHMENT_ID
from mcp_enrichment.mcp.models import MAX_IDS
from mcp_enrichment.mcp.next_steps import MAX_WAIT_SECONDS
from mcp_enrichment.mcp.protocol import is_modern

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

EXTENSION = "io.modelcontextprotocol/tasks"
Sign = Callable[[str], str]
"""Makes 32 hex digits of a text that only this account and caller can make of it."""

LONGEST_ID = 6144
"""Characters: it travels in a header of HTTP too, of which many servers take 8 KiB."""
POLL_EVERY = 2.0
POLL_EVERY_FOR_EACH = 0.25
"""Seconds more for each enrichment: one look reads them all."""
POLL_SHARE = 0.05
"""And this share of the task's age at least, as a lookup that has lasted is seldom just ending."""
_SHAPE = re.compile(r"([wrj])\.([0-9]{1,12})\.([A-Za-z0-9_.-]+)\.([0-9a-f]{32})")


class TaskKind(StrEnum):
    """Which call it stands for: that decides what its result looks like."""

    WAIT = "w"
    REQUEST = "r"
    JOINED = "j"
    """A request that was answered by an earlier one, and costs nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A wait that goes on after its call was answered."""

    kind: TaskKind
    ids: Sequence[str]
    created_at: int
    """Seconds since the epoch."""

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return max(time.time() - self.created_at, 0.0)

    @property
    def is_overdue(self) -> bool:
        """Whether its caller is to stop waiting."""
        return self.age >= MAX_WAIT_SECONDS

    def encode(self, sign: Sign) -> str | None:
        """Its id; None where that would be too long to travel."""
        plain = ".".join([self.kind, str(self.created_at), *self.ids])
        encode = f"{plain}.{sign(plain)}"
        return encode if len(encode) <= LONGEST_ID else None

    def to_json(self, task_id: str, status: str, **more: Any) -> dict[str, Any]:
        """The task on the wire, as it is at this moment."""
        every = max(POLL_EVERY, POLL_EVERY_FOR_EACH * len(self.ids), POLL_SHARE * self.age)
        return {
            "taskId": task_id,
            "status": status,
            "createdAt": _iso(self.created_at),
            "lastUpdatedAt": _iso(time.time()),
            "ttlMs": int(MAX_WAIT_SECONDS * 1000),
            "pollIntervalMs": int(every * 1000),
            **more,
        }


def verify(task_id: str, sign: Sign) -> Task | None:
    """The task that the id stands for; None where this account has made no such id."""
    shape = _SHAPE.fullmatch(task_id) if len(task_id) <= LONGEST_ID else None
    if shape is None or not compare_digest(sign(task_id.rpartition(".")[0]), shape[4]):
        return None
    ids = shape[3].split(".")
    if len(ids) > MAX_IDS or not all(re.fullmatch(ENRICHMENT_ID, one) for one in ids):
        return None
    return Task(kind=TaskKind(shape[1]), ids=ids, created_at=int(shape[2]))


def are_declared(context: ServerRequestContext[Any]) -> bool:
    """Whether the client of this very request can be given a task."""
    declared = context.session.client_capabilities
    return is_modern(context) and EXTENSION in ((declared and declared.extensions) or {})


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
