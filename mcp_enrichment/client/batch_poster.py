"""Sends the POSTs of lists together, to a service that accepts batches.

Each request is saved, sent again and given up like a single one: a batch only changes the way it is
sent.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import anyio

from mcp_enrichment.client.concurrency import SharedCall
from mcp_enrichment.client.http_api import MAX_IN_FLIGHT, PostResult
from mcp_enrichment.contract.errors import BadAnswer, InvalidArguments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskGroup

    from mcp_enrichment.client.protocols import ServiceApi
    from mcp_enrichment.contract.models import EnrichmentRequest

BATCHES_AT_ONCE = 2
"""Batches under way. Requests that come meanwhile form the next one."""


class _Post(NamedTuple):
    request: EnrichmentRequest
    key: str
    call: SharedCall[PostResult]


class BatchPoster:
    """Sends POSTs that wait at the same time as one batch."""

    def __init__(self, api: ServiceApi, tasks: TaskGroup) -> None:
        self._api = api
        self._tasks = tasks
        self._waiting: list[_Post] = []
        self._turns = anyio.CapacityLimiter(BATCHES_AT_ONCE)
        self._is_refused = False
        self.slots = anyio.CapacityLimiter(2 * MAX_IN_FLIGHT)
        """Bounds the requests that are saved and not answered yet, or still wait to be sent."""

    @property
    def limit(self) -> int:
        """The most requests of a batch; 0 if the service is not known to accept batches, or accepts
        so few requests that single POSTs are faster."""
        limit = self._api.batch_limit
        return 0 if self._is_refused or limit < MAX_IN_FLIGHT else limit

    async def post(self, request: EnrichmentRequest, *, key: str) -> PostResult:
        """Submit a request as `ServiceApi.post`, with others if the service takes batches."""
        if not self.limit:
            return await self._api.post(request, key=key)
        call = SharedCall[PostResult]()
        self._waiting.append(_Post(request, key, call))
        self._tasks.start_soon(self._send_waiting)
        return await call.result_or_error()

    def widen(self) -> None:
        """Let as many requests wait as fill the batches. The service recognises a repeated POST, so
        one that is saved and not sent is only sent later."""
        self.slots.total_tokens = max(self.slots.total_tokens, BATCHES_AT_ONCE * self.limit)

    async def _send_waiting(self) -> None:
        async with self._turns:
            most = self.limit or len(self._waiting)
            posts, self._waiting = self._waiting[:most], self._waiting[most:]
            if len(posts) > 1 and self.limit:
                await self._send_batch(posts)
            else:
                await self._send_each(posts)

    async def _send_batch(self, posts: Sequence[_Post]) -> None:
        try:
            results = await self._api.post_batch([(post.request, post.key) for post in posts])
        except (InvalidArguments, BadAnswer):  # it takes no such batch, and has started nothing
            self._is_refused = True
            await self._send_each(posts)
        except Exception as error:  # noqa: BLE001 (raised again in each caller)
            for post in posts:
                post.call.fail(error)
        else:
            for post, result in zip(posts, results, strict=True):
                if isinstance(result, PostResult):
                    post.call.set_result(result)
                else:
                    post.call.fail(result)

    async def _send_each(self, posts: Sequence[_Post]) -> None:
        async with anyio.create_task_group() as tasks:
            for post in posts:
                tasks.start_soon(post.call.run, partial(self._api.post, post.request, key=post.key))
