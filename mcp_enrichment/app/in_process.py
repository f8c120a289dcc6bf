"""The calls of the contract to the service in this process: function calls, without HTTP."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

from mcp_enrichment import tracing
from mcp_enrichment.client import http_api
from mcp_enrichment.client.http_api import InFlight, PollResult, PostResult, has_usable_email
from mcp_enrichment.contract.error_logging import safe_traceback
from mcp_enrichment.contract.errors import (
    BadAnswer,
    CommitUnknown,
    EnrichmentError,
    InternalError,
    OutcomeUnknown,
    ServiceUnavailable,
)
from mcp_enrichment.contract.http import BATCH, CREDITS, ENRICHMENTS
from mcp_enrichment.contract.models import MAX_BATCH, Credits
from mcp_enrichment.service.billing import ledger
from mcp_enrichment.service.requests import submission
from mcp_enrichment.service.requests.batch_submission import accept_all

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from mcp_enrichment.contract.models import EnrichmentRequest
    from mcp_enrichment.service.context import ServiceContext
    from mcp_enrichment.service.requests.request_table import Request

logger = logging.getLogger(__name__)

_CALLED = {CREDITS: "credits", BATCH: "enrichments"}
"""The name of a call in traces, as over HTTP. All others are about one enrichment."""


class InProcessApi:
    """A `ServiceApi` of one team.

    The time limit of a call begins once it has its place in flight, as over HTTP: a POST that waits
    for one has certainly not arrived.
    """

    def __init__(self, get_service: Callable[[], Awaitable[tuple[ServiceContext, int]]]) -> None:
        """`get_service`: returns the service and the team's id, and may open it first."""
        self._get_service = get_service
        self.in_flight = InFlight()
        self.batch_limit = MAX_BATCH

    async def aclose(self) -> None:
        """Does nothing: the owner of the service closes it."""

    async def post(self, request: EnrichmentRequest, *, key: str, hold: int = 0) -> PostResult:
        service, team_id = await self._opened()
        hold = hold if self.in_flight.may_hold else 0
        async with self.in_flight.one(hold=hold, spends=True):
            with _call(f"POST {ENRICHMENTS}", http_api.POST_SECONDS + hold, spends=True):
                accepted = await submission.accept(service, team_id, request, idempotency_key=key)
                answer = submission.as_first_answered(accepted.request, request.external_id)
                return _post_result(await submission.outcome_or_same(service, answer, hold))

    async def post_batch(
        self, posts: Sequence[tuple[EnrichmentRequest, str]]
    ) -> Sequence[PostResult | EnrichmentError]:
        service, team_id = await self._opened()
        async with self.in_flight.one(spends=True):
            with _call(f"POST {BATCH}", http_api.POST_SECONDS, spends=True):
                outcomes = await accept_all(service, team_id, posts)
        return [
            outcome
            if isinstance(outcome, EnrichmentError)
            else _post_result(submission.as_first_answered(outcome.request, request.external_id))
            for outcome, (request, _key) in zip(outcomes, posts, strict=True)
        ]

    async def get(self, enrichment_id: str, *, hold: int = 0) -> PollResult:
        service, team_id = await self._opened()
        async with self.in_flight.one(hold=hold):
            with _call(f"GET {ENRICHMENTS}/{{id}}", http_api.RESPONSE_SECONDS + hold):
                found = await submission.read(service, team_id, enrichment_id, wait=hold)
                body = submission.to_response(found)
                if not has_usable_email(body):
                    raise BadAnswer
                return PollResult(enrichment=body, held=True)

    async def credits(self) -> Credits:
        service, team_id = await self._opened()
        async with self.in_flight.one():
            with _call(f"GET {CREDITS}", http_api.RESPONSE_SECONDS):
                found = await service.database.read_few(lambda c: ledger.balance(c, team_id))
                return Credits(balance=found.available, held=found.held)

    async def _opened(self) -> tuple[ServiceContext, int]:
        try:
            return await self._get_service()
        except EnrichmentError:
            raise
        except Exception as error:  # it was logged where it was raised
            raise InternalError from error


def _post_result(answer: Request) -> PostResult:
    return PostResult(enrichment=submission.to_response(answer), supports_idempotency=True)


@contextmanager
def _call(route: str, seconds: float, *, spends: bool = False) -> Iterator[None]:
    """Give a call the spans and the errors that it has over HTTP. `spends`: it is a POST."""
    method, _, path = route.partition(" ")
    called = _CALLED.get(path, "enrichment")
    try:
        with (
            tracing.span(f"{method} {called}", tracing.SpanKind.CLIENT),
            tracing.span(route, tracing.SpanKind.SERVER),
            anyio.fail_after(seconds),
        ):
            yield
    except CommitUnknown as error:
        raise (OutcomeUnknown if spends else ServiceUnavailable)() from error
    except EnrichmentError:
        raise
    except TimeoutError as error:
        raise (OutcomeUnknown if spends else ServiceUnavailable)() from error
    except Exception as defect:
        logger.error("a call of the service raised %s", safe_traceback(defect))  # noqa: TRY400
        raise (OutcomeUnknown if spends else InternalError)() from defect
