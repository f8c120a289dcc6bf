"""A source that counts its calls."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio

from tests.support.running_service import HIT

if TYPE_CHECKING:
    from mcp_enrichment.contract.models import EmailType
    from mcp_enrichment.service.sources.base import Outcome


class CountingSource:
    """A source that records the times of its calls, and the most calls at once."""

    name = "counting"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.began: list[float] = []
        self.asked: list[str] = []
        self.most = self._now = 0

    async def find(self, profile: str, _email_type: EmailType) -> Outcome:
        self.began.append(time.monotonic())
        self.asked.append(profile)
        self._now += 1
        self.most = max(self.most, self._now)
        await anyio.sleep(self.seconds)
        self._now -= 1
        return HIT
