"""The base class of all vendors. A vendor declares its requests; only reading responses is code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, unquote

from mcp_enrichment.service.sources.base import (
    Hit,
    InProgress,
    Lost,
    LostReason,
    Misconfigured,
    Miss,
    Outcome,
    Terms,
    Unavailable,
)
from mcp_enrichment.service.sources.vendors.parsing import (
    REFUSED,
    StatusMap,
    UnreadableResponse,
    VendorJobId,
    VendorModel,
    is_claim,
    readable_address,
    verification_for,
    verification_rank,
)
from mcp_enrichment.service.sources.vendors.transport import (
    VendorRequest,
    VendorResponse,
    VendorTransport,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx
    from pydantic import BaseModel

    from mcp_enrichment.contract.models import EmailType
    from mcp_enrichment.service.sources.vendors.transport import Failure


__all__ = [
    "DEFAULT_CONCURRENCY",
    "BalanceRequest",
    "HTTPVendor",
    "LookupRequest",
    "ReadResult",
    "StartedJob",
    "VendorResponse",
    "profile_slug",
]

ReadResult = Outcome | InProgress | None
"""None: the job still runs."""
DEFAULT_CONCURRENCY = 5
"""Concurrent requests to a vendor that documents no limit."""

_HEADERS = {"accept": "application/json"}
"""Without it, a vendor may answer a program with its login page instead of a 401."""


@dataclass(frozen=True, slots=True)
class LookupRequest:
    """The request that starts a lookup. `params` and `json` get the profile and the email type."""

    method: str
    path: str | Mapping[EmailType, str]
    params: Callable[[str, EmailType], Mapping[str, str]] | None = None
    json: Callable[[str, EmailType], object] | None = None

    def build(self, profile: str, email_type: EmailType, *, may_charge: bool) -> VendorRequest:
        return VendorRequest(
            method=self.method,
            path=self.path if isinstance(self.path, str) else self.path[email_type],
            params=self.params and self.params(profile, email_type),
            json=self.json and self.json(profile, email_type),
            may_charge=may_charge,
        )


@dataclass(frozen=True, slots=True)
class BalanceRequest:
    """A free request for the credits that are left, and their place in the response."""

    path: str
    model: type[BaseModel]
    credits: Callable[[Any], float]


class StartedJob(VendorModel):
    """The response to a lookup that continues in the background."""

    job_id: VendorJobId


class HTTPVendor:
    """A vendor with an HTTP API. A subclass sets the attributes and implements `read`."""

    name: str
    url: str
    prices: ClassVar[Mapping[EmailType, float]]
    """The price of an email in the vendor's own credits, for each type that it has."""
    miss_price: float = 0.0
    at_once: int | None = None
    per_second: float | None = None
    idempotent_billing: bool = False
    verified_on: str | None = None
    key_header: str = "x-api-key"
    key_format: str = "{}"
    headers: ClassVar[Mapping[str, str]] = {}
    status_map: ClassVar[StatusMap] = {}
    request: ClassVar[LookupRequest]
    started: ClassVar[type[StartedJob] | None] = None
    """The response to `request`, if it is only ever the start of a job."""
    poll_path: str | None = None
    """The path of jobs, without the job id. None: every lookup is answered at once."""
    poll_after: float = 0.0
    """Seconds between polls of a job."""
    balance_request: ClassVar[BalanceRequest | None] = None
    status_outcomes: ClassVar[Mapping[int, Failure]] = {}
    """HTTP statuses with another meaning than the usual one."""
    readable_statuses: frozenset[int] = frozenset()
    """HTTP statuses, besides success, whose body `read` understands."""

    def __init__(self, api_key: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._transport = VendorTransport(
            self.url,
            api_key=api_key,
            headers={**_HEADERS, self.key_header: self.key_format.format(api_key), **self.headers},
            status_outcomes=self.status_outcomes,
            readable_statuses=self.readable_statuses,
            transport=transport,
        )

    @property
    def terms(self) -> Terms:
        return Terms(
            hit=max(self.prices.values()),
            miss=self.miss_price,
            at_once=self.at_once,
            per_second=self.per_second,
            idempotent_billing=self.idempotent_billing,
        )

    @property
    def email_types(self) -> frozenset[EmailType]:
        return frozenset(self.prices)

    def read(self, response: VendorResponse, email_type: EmailType) -> ReadResult:
        """The outcome of a lookup. Raises `UnreadableResponse`."""
        raise NotImplementedError

    async def find(self, profile: str, email_type: EmailType) -> Outcome | InProgress:
        return await self._look_up(profile, email_type)

    async def collect(self, job_id: str, email_type: EmailType) -> Outcome | InProgress:
        if self.poll_path is None:
            return Lost(why=LostReason.UNREADABLE)
        path = f"{self.poll_path}/{quote(job_id, safe='')}"
        request = VendorRequest(method="GET", path=path, may_charge=False)
        return await self._transport.send(request, lambda r: self._outcome(r, email_type, job_id))

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        if (wanted := self.balance_request) is None:
            return None
        request = VendorRequest(method="GET", path=wanted.path, may_charge=False)
        left = await self._transport.send(
            request, lambda response: wanted.credits(response.parse(wanted.model))
        )
        return None if isinstance(left, Lost) else left

    async def aclose(self) -> None:
        await self._transport.aclose()

    def address(
        self,
        email: str | None,
        status: str | None,
        email_type: EmailType,
        *,
        price: float | None = None,
        charged: float | None = None,
        checked_at: float | None = None,
        stated: EmailType | None = None,
    ) -> Hit | Miss | Misconfigured:
        """The outcome for an email and its status.

        `price`: the cost, if not the usual price. `charged`, `stated`: the cost and the type of
        this email as the response states them. Raises `UnreadableResponse`.
        """
        if not email:
            if charged or is_claim(status, self.status_map):
                raise UnreadableResponse  # the response claims an address, but has none
            return Miss(cost=charged)
        address = readable_address(email)
        if isinstance(address, Misconfigured):
            return address
        usual = self.prices[email_type] if price is None else price
        cost = usual if charged is None else charged
        verification = verification_for(status, self.status_map)
        if verification is None:
            return Miss(cost=cost)
        return Hit(
            email=address,
            email_type=stated,
            verification=verification,
            cost=cost,
            checked_at=checked_at,
        )

    def rank(self, status: str | None) -> int:
        """The rank of an email with this status, the best first."""
        return verification_rank(status, self.status_map)

    def in_progress(self, job_id: str) -> InProgress:
        return InProgress(job_id=job_id, poll_after=self.poll_after)

    async def _look_up(
        self, profile: str, email_type: EmailType, job_id: str = ""
    ) -> Outcome | InProgress:
        request = self.request.build(profile, email_type, may_charge=not self.idempotent_billing)
        return await self._transport.send(
            request, lambda response: self._started_or_outcome(response, email_type, job_id)
        )

    def _started_or_outcome(
        self, response: VendorResponse, email_type: EmailType, job_id: str
    ) -> Outcome | InProgress:
        if self.started is None:
            return self._outcome(response, email_type, job_id)
        if response.status in self.readable_statuses:
            return REFUSED
        return self.in_progress(response.parse(self.started).job_id)

    def _outcome(
        self, response: VendorResponse, email_type: EmailType, job_id: str
    ) -> Outcome | InProgress:
        outcome = self.read(response, email_type)
        return self.in_progress(job_id) if outcome is None else outcome


def profile_slug(profile: str) -> str:
    """The decoded name in the URL of a profile."""
    return unquote(profile.rpartition("/")[2])
