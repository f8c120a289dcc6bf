"""The state that the pages of one console share."""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.to_thread

from mcp_enrichment.console.sessions import LOCAL, Sessions
from mcp_enrichment.console.uploads import Uploads
from mcp_enrichment.service.accounts import api_keys

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from decimal import Decimal

    from mcp_enrichment.console.sessions import Session
    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.http.rate_limit import RateLimit

    Address = tuple[str, int]

HEALTH_SECONDS = 30.0
"""Seconds for which the findings are shown before the checks, which take up to a second, run
again."""
MAX_USED = 10_000
"""Confirmations that are remembered, so that a double click acts once."""


class Finding(Protocol):
    """A finding of the doctor."""

    @property
    def state(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def says(self) -> str: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """The settings that the pages show."""

    sources: Sequence[str] = ()
    """In the order in which they are asked."""
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    """Of one credit, by vendor."""
    currency: str | None = None
    daily_budget: int | None = None
    """Credits of a UTC day."""


def _no_findings() -> Sequence[Finding]:
    return ()


async def _forget_nothing(_profiles: Collection[str]) -> int:
    return 0


def _admit_all(_client: Address, _server: Address) -> bool:
    return True


@dataclass(kw_only=True, slots=True)
class Console:
    """One console over one service."""

    service: ServiceContext
    sessions: Sessions
    sign_in_limit: RateLimit
    """Limits the keys that one IP address may try."""
    facts: Facts = Facts()
    examine: Callable[[], Sequence[Finding]] = _no_findings
    """The checks of the doctor. They block."""
    forget: Callable[[Collection[str]], Awaitable[int]] = _forget_nothing
    """Removes erased profiles from the memory of past requests; returns the number of removed
    requests."""
    uploads: Uploads = field(default_factory=Uploads)
    is_local: bool = False
    """Whether it serves only the person at this machine, who does not sign in with a key."""
    admits: Callable[[Address, Address], bool] = _admit_all
    """Whether the program at this address may see it, over a connection to the other one."""
    link_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    """Opens a local console once."""
    is_over: anyio.Event = field(default_factory=anyio.Event)
    """Set when the process shuts down: live streams end."""
    _used: dict[str, None] = field(default_factory=dict)
    _found: tuple[float, Sequence[Finding]] | None = None
    _examining: anyio.Lock = field(default_factory=anyio.Lock)

    def __post_init__(self) -> None:
        self.service.shutdown.on_begin(self.is_over.set)

    async def is_signed_in(self, session: Session) -> bool:
        """Whether the session lasts and its key is valid: a revoked one ends its sessions."""
        if self.sessions.has_expired(session):
            return False
        if self.is_local:
            return session.key_id == LOCAL
        key_id = session.key_id
        return key_id not in ("", LOCAL) and await self.service.database.read_few(
            lambda c: api_keys.is_live_operator(c, key_id)
        )

    def use_link(self, token: str) -> bool:
        """Whether it is the token of the link, which opens the console once."""
        is_right = self.is_local and hmac.compare_digest(self.link_token.encode(), token.encode())
        return is_right and self.use_once(token)

    def use_once(self, token: str) -> bool:
        """Whether the token is used for the first time, by this process."""
        if token in self._used:
            return False
        self._used[token] = None
        if len(self._used) > MAX_USED:
            del self._used[next(iter(self._used))]
        return True

    async def findings(self) -> Sequence[Finding]:
        """The findings of the doctor, at most `HEALTH_SECONDS` old."""
        async with self._examining:
            if self._found is None or time.monotonic() - self._found[0] > HEALTH_SECONDS:
                self._found = time.monotonic(), await anyio.to_thread.run_sync(self.examine)
            return self._found[1]
