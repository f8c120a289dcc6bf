"""Wiza's individual reveals: started, and polled for up to 380 s.

Addresses are in `emails`; the best of them, or the only one, is beside it too. An account without
credits is not refused: its reveal fails, with a 200. Not documented: whether a person who is found
without an address costs the credit for the profile (it is assumed to), and its limits.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.sources.base import FAILED, OUT_OF_CREDIT, Miss, Outcome
from mcp_enrichment.service.sources.vendors.base import (
    BEARER,
    HTTPVendor,
    LookupRequest,
    ReadResult,
)
from mcp_enrichment.service.sources.vendors.responses import (
    Credits,
    UnreadableResponse,
    VendorModel,
    VendorResponse,
    mentions_address,
    normalize_word,
    statuses,
)

NO_ADDRESS = frozenset({"invalid", "unfound"})
"""The statuses of a reveal without an email."""


class _Charged(VendorModel):
    total: Credits | None = None
    email_credits: Credits | None = None
    phone_credits: Credits | None = None
    scrape_credits: Credits | None = None

    @property
    def sum(self) -> float | None:
        parts = (self.email_credits, self.phone_credits, self.scrape_credits)
        present = [part for part in parts if part is not None]
        return sum(present) if self.total is None and present else self.total


class _Reveal(VendorModel):
    id: Annotated[int, Field(ge=1, lt=10**18)]
    status: Literal["queued", "resolving", "finished", "failed"]
    fail_error: str | None = None


class _Email(VendorModel):
    email: str | None = None
    email_status: str | None = None
    email_type: str | None = None


class _Finished(_Email):
    emails: list[_Email] | None = None
    credits: dict[str, object] | None = None

    @property
    def addresses(self) -> list[_Email]:
        """All emails. The list counts for the one beside it only if that one has no status."""
        has_status = self.email and self.email_status
        more = [
            one
            for one in self.emails or ()
            if one.email and not (has_status and one.email == self.email)
        ]
        return [self, *more] if self.email else more


class _Envelope(VendorModel):
    data: dict[str, object]


class Wiza(HTTPVendor):
    """Two credits for an email and one for the profile."""

    name = "wiza"
    url = "https://wiza.co/api"
    prices: ClassVar = {EmailType.WORK: 3.0, EmailType.PERSONAL: 3.0}
    miss_price = 1.0
    headers = BEARER
    status_map: ClassVar = statuses(
        "unfound", verified="valid", catch_all="catch_all accept_all", unverified="risky unknown"
    )
    request: ClassVar = LookupRequest(
        "POST",
        "/individual_reveals",
        json=lambda profile, email_type: {
            "individual_reveal": {"profile_url": profile},
            "enrichment_level": "partial",
            "email_options": {
                "accept_work": email_type is EmailType.WORK,
                "accept_personal": email_type is EmailType.PERSONAL,
            },
        },
    )
    poll_after = 10.0
    balance_path = "/meta/credits"
    balance_keys = ("credits", "api_credits")

    def read(self, response: VendorResponse, email_type: EmailType) -> ReadResult:
        data = response.parse(_Envelope).data
        reveal = response.parse(_Reveal, data)
        if reveal.status == "failed":
            return OUT_OF_CREDIT if reveal.fail_error == "billing_issue" else FAILED
        if reveal.status != "finished":
            return self.in_progress(str(reveal.id))
        finished = response.parse(_Finished, data)
        bill = finished.credits or {}
        # Credits other than those of the API are ignored.
        of_api = bill.get("api_credits")
        charged = response.parse(_Charged, bill if of_api is None else of_api).sum
        if finished.addresses:
            return self._best(finished, email_type, charged)
        return self._miss(finished, charged, misplaced=mentions_address(data))

    def _best(self, reveal: _Finished, email_type: EmailType, charged: float | None) -> Outcome:
        fitting = [email for email in reveal.addresses if email.email_type in (email_type, None)]
        if not fitting:
            return Miss(cost=self.cost(email_type, charged))
        best = min(fitting, key=lambda email: self.rank(email.email_status))
        stated = email_type if best.email_type else None
        return self.address(
            best.email, best.email_status, email_type, charged=charged, stated=stated
        )

    def _miss(self, reveal: _Finished, charged: float | None, *, misplaced: bool) -> Outcome:
        """A reveal without an email. `misplaced`: there is an address in another place."""
        word = normalize_word(reveal.email_status)
        is_paid = (charged or 0.0) > self.miss_price
        if self.status_map.get(word) or (word not in NO_ADDRESS and (misplaced or is_paid)):
            raise UnreadableResponse
        return Miss(cost=charged)
