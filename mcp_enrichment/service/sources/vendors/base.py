"""The base class of all vendors. A vendor declares its requests; only reading responses is code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar
from urllib.parse import quote, unquote

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from mcp_enrichment.contract.models import Verification
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
from mcp_enrichment.service.sources.exports.email_address import clean_email
from mcp_enrichment.service.sources.vendors.transport import (
    FAILED,
    HIDDEN,
    OUT_OF_CREDIT,
    REFUSED,
    UnreadableResponse,
    VendorRequest,
    VendorResponse,
    VendorTransport,
    parse,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from mcp_enrichment.contract.models import EmailType
    from mcp_enrichment.service.sources.vendors.transport import Failure

__all__ = [
    "CREDITS",
    "DEFAULT_CONCURRENCY",
    "FAILED",
    "HIDDEN",
    "OUT_OF_CREDIT",
    "REFUSED",
    "Credits",
    "HTTPVendor",
    "LookupRequest",
    "ReadResult",
    "StartedJob",
    "UnreadableResponse",
    "VendorJobId",
    "VendorModel",
    "VendorResponse",
    "mentions_address",
    "normalize_word",
    "parse",
    "profile_slug",
    "require_fields",
    "verification_for",
]
"""What a vendor's file needs."""

ReadResult = Outcome | InProgress | None
"""None: the job still runs."""
DEFAULT_CONCURRENCY = 5
"""Concurrent requests to a vendor that documents no limit."""

_HEADERS = {"accept": "application/json"}
"""Without it, a vendor may answer a program with its login page instead of a 401."""

StatusMap = Mapping[str, Verification | None]
"""The meaning of a vendor's normalized status words; None: the address is not usable."""
Credits = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
CREDITS: TypeAdapter[float] = TypeAdapter(Credits)
VendorJobId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,200}$")]
"""The vendor's id of a job. An email address does not match."""

_MASK = re.compile(r"[*\u2022\u2026]|not_unlocked@", re.IGNORECASE)
_SAMPLE_DOMAIN = re.compile(r"@(?:.+\.)?example\.(?:com|net|org)$", re.IGNORECASE)
"""Reserved domains (RFC 2606), which vendors show to a key without access."""
_ADDRESS = re.compile(r"[^\s@]@[^\s@]+\.[^\s@]")
_SEPARATORS = re.compile(r"[\s_-]+")
_UNDELIVERABLE = {"bounced", "invalid", "invalid_domain", "no_mx", "not_found", "undeliverable"}
_IMPERSONAL = {"abuse", "disposable", "do_not_mail", "role", "spamtrap"}
UNUSABLE_WORDS = frozenset(_UNDELIVERABLE | _IMPERSONAL)
"""Status words, at any vendor, for an address that is undeliverable or not a person's."""
_CLAIMS = frozenset({Verification.VERIFIED, Verification.CATCH_ALL, Verification.INFERRED})
"""What a status says of an address that was found."""
_RANKS = (
    Verification.VERIFIED,
    Verification.UNVERIFIED,
    Verification.CATCH_ALL,
    Verification.INFERRED,
)
"""The best first, in the same order as among sources."""


class VendorModel(BaseModel):
    """A part of a response. A field that must be present is required, even if it may be null, so
    that a changed schema is not read as a miss."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


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


class StartedJob(VendorModel):
    """The response to a lookup that continues in the background."""

    job_id: VendorJobId


class HTTPVendor:
    """A vendor with an HTTP API. A subclass sets the attributes without a default, and implements
    `read`. `Terms` describes the prices and limits."""

    name: str
    """The name of its module, and in ENRICHMENT_SOURCES."""
    url: str
    """The root of its API."""
    prices: ClassVar[Mapping[EmailType, float]]
    """The price of an email in the vendor's own credits, for each type that it has."""
    request: ClassVar[LookupRequest]
    """The request of one lookup."""

    miss_price: float = 0.0
    at_once: int | None = None
    per_second: float | None = None
    idempotent_billing: bool = False
    verified_on: str | None = None
    """The day on which it was last used with a real key (ISO 8601); None: never."""
    key_header: str = "x-api-key"
    key_format: str = "{}"
    """The header's value, with the key in place of `{}`."""
    headers: ClassVar[Mapping[str, str]] = {}
    """Further headers of each request."""
    status_map: ClassVar[StatusMap] = {}
    """The vendor's own words for the state of an address."""
    started: ClassVar[type[StartedJob] | None] = None
    """The response to `request`, if it is only ever the start of a job."""
    poll_path: str | None = None
    """The path of jobs, without the job id. None: every lookup is answered at once."""
    poll_after: float = 0.0
    """Seconds between polls of a job."""
    balance_path: str | None = None
    """The path of the credits that are left, which are free to read; None: there is none."""
    balance_keys: tuple[str, ...] = ()
    """The keys that lead to them in the response."""
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

    def read_balance(self, response: VendorResponse) -> float:
        """The credits that are left. Raises `UnreadableResponse`."""
        found = response.body
        for key in self.balance_keys:
            found = found.get(key) if isinstance(found, dict) else None
        try:
            return CREDITS.validate_python(found, strict=True)
        except ValidationError:
            raise UnreadableResponse from None

    async def find(self, profile: str, email_type: EmailType) -> Outcome | InProgress:
        return await self._look_up(profile, email_type)

    async def collect(self, job_id: str, email_type: EmailType) -> Outcome | InProgress:
        if self.poll_path is None:
            return Lost(why=LostReason.UNREADABLE)
        path = f"{self.poll_path}/{quote(job_id, safe='')}"
        request = VendorRequest(method="GET", path=path, may_charge=False)
        return await self._transport.send(request, lambda r: self._outcome(r, email_type, job_id))

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        if self.balance_path is None:
            return None
        request = VendorRequest(method="GET", path=self.balance_path, may_charge=False)
        left = await self._transport.send(request, self.read_balance)
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
            if charged or self.status_map.get(normalize_word(status)) in _CLAIMS:
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
        """The rank of an email with this status, the best first. One that is not usable, or whose
        status is unknown, is the last."""
        try:
            verification = verification_for(status, self.status_map)
        except UnreadableResponse:
            verification = None
        return _RANKS.index(verification) if verification in _RANKS else len(_RANKS)

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


def normalize_word(word: str | None) -> str:
    """A status word in one spelling: `No MX`, `no-mx` and `NO_MX` become `no_mx`."""
    return _SEPARATORS.sub("_", (word or "").strip().lower())


def mentions_address(body: object) -> bool:
    """Whether the body contains an address anywhere. If so, an absent field is not a miss."""
    return bool(_ADDRESS.search(str(body)))


def require_fields(record: Mapping[str, object], *names: str) -> None:
    """Raise `UnreadableResponse` for a record without an address field that has none of these
    fields either, or has an address in another place."""
    if mentions_address(record) or not any(name in record for name in names):
        raise UnreadableResponse


def readable_address(email: str) -> str | Misconfigured:
    """The cleaned address; `Misconfigured` if the vendor hides the real one from this key. Raises
    `UnreadableResponse` if it is not an address."""
    if _MASK.search(email):
        return HIDDEN
    if _SAMPLE_DOMAIN.search(email):
        return Misconfigured()
    address = clean_email(email)
    if address is None:
        raise UnreadableResponse
    return address


def verification_for(status: str | None, statuses: StatusMap) -> Verification | None:
    """The verification of an address by its status; None: it is not usable. An address without a
    status is unverified. Raises `UnreadableResponse` for an unknown status: it may mean "no"."""
    word = normalize_word(status)
    if word in statuses:
        return statuses[word]
    if word in UNUSABLE_WORDS:
        return None
    if word:
        raise UnreadableResponse
    return Verification.UNVERIFIED
