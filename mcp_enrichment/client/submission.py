"""A request of a caller, and its submission to the service."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from mcp_enrichment.contract.explanation import Explanation

if TYPE_CHECKING:
    from mcp_enrichment.client.results import EnrichmentResult
    from mcp_enrichment.client.state.records import RequestRecord
    from mcp_enrichment.client.state.spending import CreditCap
    from mcp_enrichment.contract.models import EnrichmentRequest


FORGOTTEN = Explanation(
    happened="The service no longer knows the earlier request for this profile, so its answer is "
    "lost.",
    money="Nothing was charged by this call.",
    for_person="Ask again for a new lookup.",
    for_assistant="Call request_email_enrichment again for a new lookup.",
)


class RequestChanged(Exception):
    """Another caller has changed the saved request meanwhile."""


class Forecast(Enum):
    """The way in which a request would be answered."""

    KNOWN = auto()
    """By an earlier one that is final. Free."""
    RUNNING = auto()
    """By an earlier one that runs, and whose credit counts already."""
    UNKNOWN = auto()
    """Not at all: the outcome of an earlier POST is unknown."""
    NEW = auto()
    """By a new one, which costs a credit if an email is found."""


class Submission(NamedTuple):
    """A request of a caller."""

    body: EnrichmentRequest
    refresh: bool
    """Whether to repeat a lookup that is final."""
    may_spend: bool
    """Whether a new POST may be sent for it."""
    cap: CreditCap | None = None
    """The cap of the list that it belongs to."""
    is_in_list: bool = False
    hold: int = 0
    """Seconds that the service may wait for the outcome before it answers the POST."""


class Submitted(NamedTuple):
    """A submitted request."""

    result: EnrichmentResult
    record: RequestRecord | None
    """Its saved row; None if its id could not be saved."""
