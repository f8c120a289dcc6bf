"""The one seam between a vendor's HTTP interface and the answers of a source."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from pydantic_core import from_json

from mcp_enrichment.contract.api_key_format import api_key_problem
from mcp_enrichment.outbound import NOTHING_SENT, UNUSABLE, exchanged, http_client
from mcp_enrichment.service.sources.port import Lost, LostWhy, Misconfigured, Unavailable
from mcp_enrichment.service.sources.vendors.reading import OUT_OF_CREDIT, Unreadable
from mcp_enrichment.service.sources.vendors.waits import asked_wait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
Failure = Unavailable | Lost | Misconfigured

ANSWER_SECONDS = 45.0
"""How long a vendor may take to answer: some look for the person meanwhile."""

READ = frozenset({200, 201, 202})
"""Statuses whose body says what came of the question."""
_NOT_NOW = frozenset({408, 425, 429, 503})
"""Refused before anything was done, and only for now."""
_OUT_OF_ORDER = _NOT_NOW - {429}
"""Those of them that say nothing of too many questions."""
_NOT_THIS = frozenset({400, 404, 409, 410, 413, 414, 422})
"""This question is refused, for a reason that is not known: no fault of the key, and no miss."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One request."""

    method: str
    path: str
    params: Mapping[str, str] | None = None
    json: Any = None
    may_charge: bool = True
    """Whether it may cost something: then it is not put again where its answer is lost."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back; `body` is None where it is no JSON, or too large."""

    status: int
    retry_after: float | None
    """Seconds for which it asks to wait, for an answer that says that it is not for now."""
    body: Any
    headers: Mapping[str, str]


class Asking:
    """Puts questions to one vendor. It raises nothing, and repeats nothing of what it is told."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str,
        headers: Mapping[str, str],
        says: Mapping[int, Failure],
        reads: frozenset[int],
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        """`headers` bear the key. `says`: what a status means here, where it means something else
        than usually; `reads`: further statuses whose body is to be read."""
        self._says = says
        self._reads = READ | reads
        self._http: httpx.AsyncClient | None = None
        """None: nothing can be asked with these settings."""
        if api_key_problem(api_key):
            return  # no header can carry it, or nobody has filled it in
        with suppress(*UNUSABLE):
            self._http = http_client(url, headers, transport)

    async def aclose(self) -> None:
        if self._http:
            await self._http.aclose()

    async def ask(self, question: Question, reader: Callable[[Answer], T]) -> T | Failure:
        """What `reader` makes of the answer, or why there is none to read."""
        if self._http is None:
            return Misconfigured()
        try:
            answer = await _exchange(self._http, question)
        except NOTHING_SENT:
            return Unavailable()
        except httpx.DecodingError:
            return Lost(why=LostWhy.UNREADABLE)
        except Exception:  # noqa: BLE001 (whatever it is: the question may have left, and been paid)
            return _lost(question, LostWhy.NO_ANSWER)
        return self._judged(question, answer, reader)

    def _judged(
        self, question: Question, answer: Answer, reader: Callable[[Answer], T]
    ) -> T | Failure:
        if said := self._says.get(answer.status):
            is_wait = isinstance(said, Unavailable)
            return Unavailable(retry_after=answer.retry_after) if is_wait else said
        if answer.status not in self._reads:
            return _by_status(question, answer)
        try:
            return reader(answer)
        except Unreadable:
            return Lost(why=LostWhy.UNREADABLE)


def _lost(question: Question, why: LostWhy) -> Failure:
    return Lost(why=why) if question.may_charge else Unavailable()


def _by_status(question: Question, answer: Answer) -> Failure:
    if answer.status in _NOT_NOW:
        return Unavailable(retry_after=answer.retry_after)
    if answer.status == httpx.codes.PAYMENT_REQUIRED:
        return OUT_OF_CREDIT
    if answer.status in _NOT_THIS:
        return Lost(why=LostWhy.REFUSED)
    if httpx.codes.is_client_error(answer.status):
        return Misconfigured()
    if httpx.codes.is_server_error(answer.status):
        return _lost(question, LostWhy.FAILED)
    return Lost(why=LostWhy.UNREADABLE)


async def _exchange(http: httpx.AsyncClient, question: Question) -> Answer:
    response, body = await exchanged(
        http,
        question.method,
        question.path,
        seconds=ANSWER_SECONDS,
        params=question.params,
        json=question.json,
    )
    return Answer(
        status=response.status_code,
        retry_after=asked_wait(
            response.headers, is_limit=response.status_code not in _OUT_OF_ORDER
        ),
        body=_parsed(body),
        headers=response.headers,
    )


def _parsed(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        return None
