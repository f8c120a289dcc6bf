"""The base class of all vendors. A vendor declares its requests; only reading responses is code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar
from urllib.parse import quote

from pydantic import Field, TypeAdapter

from mcp_enrichment.contract.models import Verification
from mcp_enrichment.contract.source_limit import SourceLimit
from mcp_enrichment.service.sources.base import (
    HIDDEN,
    REFUSED,
    Failure,
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
from mcp_enrichment.service.sources.exports.email_address import clean_email
from mcp_enrichment.service.sources.vendors.responses import (
    CREDITS,
    StatusMap,
    UnreadableResponse,
    VendorResponse,
    normalize_word,
    parse_value,
    statuses,
)
from mcp_enrichment.service.sources.vendors.transport import VendorTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from mcp_enrichment.contract.models import EmailType

ReadResult = Outcome | InProgress | None
"""None: the job still runs."""
BEARER = {"authorization": "Bearer {key}"}
"""The headers of a vendor that takes its key as a bearer token (RFC 6750)."""

_ACCEPT = {"accept": "application/json"}
"""Without it, a vendor may answer a program with its login page instead of a 401."""

_JOB_ID: TypeAdapter[str] = TypeAdapter(Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,200}$")])
"""The vendor's id of a job. An email address does not match."""
_MASK = re.compile(r"[*\u2022\u2026]|not_unlocked@", re.IGNORECASE)
_SAMPLE_DOMAIN = re.compile(r"@(?:.+\.)?example\.(?:com|net|org)$", re.IGNORECASE)
"""Reserved domains (RFC 2606), which vendors show to a key without access."""
_CLAIMS = {Verification.VERIFIED, Verification.CATCH_ALL, Verification.INFERRED}
"""Verifications that claim an address: a response with one and without an address is invalid."""
_RANKS = (
    Verification.VERIFIED,
    Verification.UNVERIFIED,
    Verification.CATCH_ALL,
    Verification.INFERRED,
)
"""The best first, in the same order as among sources."""


@dataclass(frozen=True, slots=True)
class LookupRequest:
    """The request that starts a lookup. `params` and `json` get the profile and the email type."""

    method: str
    path: str | Mapping[EmailType, str]
    params: Callable[[str, EmailType], Mapping[str, str]] | None = None
    json: Callable[[str, EmailType], object] | None = None


class HTTPVendor:
    """A vendor with an HTTP API. A subclass sets the attributes without a default, and implements
    `read`. `Terms` describes the prices and the limit."""

    name: str
    """The name of its module, and in ENRICHMENT_SOURCES."""
    url: str
    """The root of its API."""
    prices: ClassVar[Mapping[EmailType, float]]
    """The price of an email in the vendor's own credits, for each type that it has."""
    request: ClassVar[LookupRequest]
    """The request of one lookup."""

    miss_price: float = 0.0
    limit: SourceLimit = SourceLimit(at_once=5)
    """The default is for a vendor that documents no limit."""
    idempotent_billing: bool = False
    verified_on: str | None = None
    """The day on which it was last used with a real key (ISO 8601); None: never."""
    headers: ClassVar[Mapping[str, str]] = {"x-api-key": "{key}"}
    """The headers of each request, with `{key}` in place of the key."""
    status_map: ClassVar[StatusMap] = statuses()
    """The vendor's own words for the state of an address."""
    job_id_key: str = ""
    """The field with the job id in the response to `request`, if that only starts a job."""
    poll_after: float = 0.0
    """Seconds between two polls of a job, each a GET of the path of `request` with the job's id
    added. 0: the vendor has no jobs."""
    balance_path: str | None = None
    """The path of the credits that are left, which are free to read; None: there is none."""
    balance_keys: tuple[str, ...] = ()
    """The keys that lead to them in the response."""
    status_outcomes: ClassVar[Mapping[int, Failure]] = {}
    """HTTP statuses with another meaning than the usual one."""
    readable_statuses: frozenset[int] = frozenset()
    """HTTP statuses, besides success, whose body `read` understands."""

    def __init__(self, api_key: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        headers = {name: value.format(key=api_key) for name, value in self.headers.items()}
        self._transport = VendorTransport(
            self.url,
            api_key=api_key,
            headers={**_ACCEPT, **headers},
            status_outcomes=self.status_outcomes,
            readable_statuses=self.readable_statuses,
            transport=transport,
        )

    @property
    def terms(self) -> Terms:
        return Terms(
            hit=max(self.prices.values()),
            miss=self.miss_price,
            limit=self.limit,
            idempotent_billing=self.idempotent_billing,
        )

    @property
    def email_types(self) -> frozenset[EmailType]:
        return frozenset(self.prices)

    def read(self, response: VendorResponse, email_type: EmailType) -> ReadResult:
        """The outcome of a lookup. Raises `UnreadableResponse`."""
        raise NotImplementedError

    def read_job_id(self, response: VendorResponse) -> str:
        """The id of the started job. Raises `UnreadableResponse`."""
        return parse_value(_JOB_ID, response.body, self.job_id_key)

    def read_balance(self, response: VendorResponse) -> float:
        """The credits that are left. Raises `UnreadableResponse`."""
        return parse_value(CREDITS, response.body, *self.balance_keys)

    async def find(self, profile: str, email_type: EmailType) -> Outcome | InProgress:
        return await self._look_up(profile, email_type)

    async def collect(self, job_id: str, email_type: EmailType) -> Outcome | InProgress:
        if not self.poll_after:
            return Lost(why=LostReason.UNREADABLE)
        path = f"{self.request.path}/{quote(job_id, safe='')}"
        return await self._transport.send(
            "GET", path, lambda response: self._outcome(response, email_type, job_id)
        )

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        if self.balance_path is None:
            return None
        left = await self._transport.send("GET", self.balance_path, self.read_balance)
        return None if isinstance(left, Lost) else left

    async def aclose(self) -> None:
        await self._transport.aclose()

    def address(
        self,
        email: str | None,
        status: str | None,
        email_type: EmailType,
        *,
        charged: float | None = None,
        checked_at: float | None = None,
        stated: EmailType | None = None,
    ) -> Hit | Miss | Misconfigured:
        """The outcome for an email and its status. `charged`, `stated`: the cost and the type of
        this email as the response states them. Raises `UnreadableResponse`.
        """
        if not email:
            if charged or self.status_map.get(normalize_word(status)) in _CLAIMS:
                raise UnreadableResponse  # the response claims an address, but has none
            return Miss(cost=charged)
        if _MASK.search(email):
            return HIDDEN
        if _SAMPLE_DOMAIN.search(email):
            return Misconfigured()
        address, verification = clean_email(email), self.verification(status)
        if address is None:
            raise UnreadableResponse
        cost = self.cost(email_type, charged)
        if verification is None:
            return Miss(cost=cost)
        return Hit(
            email=address,
            email_type=stated,
            verification=verification,
            cost=cost,
            checked_at=checked_at,
        )

    def cost(self, email_type: EmailType, charged: float | None) -> float:
        """The cost that the response states, else the price of an email."""
        return self.prices[email_type] if charged is None else charged

    def verification(self, status: str | None) -> Verification | None:
        """The verification of an address by its status; None: it is not usable. An address without
        a status is unverified. Raises `UnreadableResponse` for an unknown status: it may mean "no".
        """
        word = normalize_word(status)
        if word and word not in self.status_map:
            raise UnreadableResponse
        return self.status_map.get(word, Verification.UNVERIFIED)

    def rank(self, status: str | None) -> int:
        """The rank of an email with this status, the best first. One that is not usable, or whose
        status is unknown, is the last."""
        word = normalize_word(status)
        verification = self.status_map.get(word, None if word else Verification.UNVERIFIED)
        return _RANKS.index(verification) if verification in _RANKS else len(_RANKS)

    def in_progress(self, job_id: str) -> InProgress:
        return InProgress(job_id=job_id, poll_after=self.poll_after)

    async def _look_up(
        self, profile: str, email_type: EmailType, job_id: str = ""
    ) -> Outcome | InProgress:
        """Send the request. `job_id` is that of a lookup which is polled by the same request."""

        def read(response: VendorResponse) -> Outcome | InProgress:
            if not self.job_id_key:
                return self._outcome(response, email_type, job_id)
            if response.status in self.readable_statuses:
                return REFUSED
            return self.in_progress(self.read_job_id(response))

        request = self.request
        return await self._transport.send(
            request.method,
            request.path if isinstance(request.path, str) else request.path[email_type],
            read,
            may_charge=not self.idempotent_billing,
            params=request.params and request.params(profile, email_type),
            json=request.json and request.json(profile, email_type),
        )

    def _outcome(
        self, response: VendorResponse, email_type: EmailType, job_id: str
    ) -> Outcome | InProgress:
        outcome = self.read(response, email_type)
        return self.in_progress(job_id) if outcome is None else outcome
