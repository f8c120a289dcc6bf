"""What all vendors have in common: a declaration, and a seam to ask through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, unquote

from mcp_enrichment.service.sources.base import InProgress, Lost, LostReason, Terms
from mcp_enrichment.service.sources.vendors.transport import (
    VendorRequest,
    VendorResponse,
    VendorTransport,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from mcp_enrichment.contract.models import EmailType
    from mcp_enrichment.service.sources.base import Misconfigured, Outcome, Unavailable
    from mcp_enrichment.service.sources.vendors.transport import Failure


DEFAULT_CONCURRENCY = 5
"""Questions at the same time to a vendor that documents no limit."""

_HEADERS = {"accept": "application/json"}
"""Without it a vendor may show a program the page to log in at, in place of a 401."""


class HTTPVendor:
    """A vendor, declared by its attributes; a subclass adds what it asks and how it reads."""

    name: str
    url: str
    prices: ClassVar[Mapping[EmailType, float]]
    """Its own credits for an address of each kind that it has."""
    miss_price: float = 0.0
    at_once: int | None = None
    per_second: float | None = None
    idempotent_billing: bool = False
    poll_after: float = 0.0
    """Seconds after which to ask for what it has begun; 0 where it answers at once."""
    key_header: str = "x-api-key"
    key_form: str = "{}"
    headers: ClassVar[Mapping[str, str]] = {}
    says: ClassVar[Mapping[int, Failure]] = {}
    reads: frozenset[int] = frozenset()
    verified_on: str | None = None

    def __init__(self, api_key: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._asking = VendorTransport(
            self.url,
            api_key=api_key,
            headers={**_HEADERS, self.key_header: self.key_form.format(api_key), **self.headers},
            says=self.says,
            reads=self.reads,
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
    def kinds(self) -> frozenset[EmailType]:
        return frozenset(self.prices)

    async def find(self, profile: str, kind: EmailType) -> Outcome | InProgress:
        raise NotImplementedError

    async def collect(self, ticket: str, kind: EmailType) -> Outcome | InProgress:  # noqa: ARG002
        """It answers at once, so that no ticket is its own."""
        return Lost(why=LostReason.UNREADABLE)

    async def balance(self) -> float | Unavailable | Misconfigured | None:
        return None

    async def aclose(self) -> None:
        await self._asking.aclose()

    async def _find(
        self,
        method: str,
        path: str,
        reader: Callable[[VendorResponse], Outcome | InProgress],
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> Outcome | InProgress:
        question = VendorRequest(
            method=method,
            path=path,
            params=params,
            json=json,
            may_charge=not self.idempotent_billing,
        )
        return await self._asking.ask(question, reader)

    async def _collect(
        self, path: str, ticket: str, reader: Callable[[VendorResponse], Outcome | InProgress]
    ) -> Outcome | InProgress:
        where = f"{path}/{quote(ticket, safe='')}"
        question = VendorRequest(method="GET", path=where, may_charge=False)
        return await self._asking.ask(question, reader)

    async def _balance(
        self, path: str, reader: Callable[[VendorResponse], float]
    ) -> float | Unavailable | Misconfigured | None:
        question = VendorRequest(method="GET", path=path, may_charge=False)
        left = await self._asking.ask(question, reader)
        return None if isinstance(left, Lost) else left

    def _working(self, ticket: str) -> InProgress:
        """It has begun, and is asked again in its usual time."""
        return InProgress(ticket=ticket, poll_after=self.poll_after)


def profile_slug(profile: str) -> str:
    """The name in the URL of a profile, decoded."""
    return unquote(profile.rpartition("/")[2])
