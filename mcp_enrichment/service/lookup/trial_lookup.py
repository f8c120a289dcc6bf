"""A lookup at one source without a request, for `sources check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from mcp_enrichment.contract.models import Reason
from mcp_enrichment.service.lookup.source_call_mapping import match_email_type
from mcp_enrichment.service.lookup.vendor_calls import WORKING_SECONDS
from mcp_enrichment.service.privacy.suppression import is_address_suppressed
from mcp_enrichment.service.sources.base import Hit, InProgress, Lost, LostReason, Miss, is_vendor

if TYPE_CHECKING:
    from mcp_enrichment.contract.models import EmailType
    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.sources.base import Outcome, Source


async def trial_lookup(
    database: Database, source: Source, profile: str, email_type: EmailType
) -> Outcome:
    """A source's result for a profile, without a request: it is neither stored nor counted. A
    suppressed address is not disclosed here either."""
    answer = await _answer(source, profile, email_type)
    if isinstance(answer, Hit) and is_vendor(source):
        answer = match_email_type(answer, email_type, source.terms)
    if not isinstance(answer, Hit):
        return answer
    for hit in (answer, *answer.others):
        if not await is_address_suppressed(database, hit.email):
            return hit
    return Miss(reason=Reason.SUPPRESSED, cost=answer.cost)


async def _answer(source: Source, profile: str, email_type: EmailType) -> Outcome:
    began = anyio.current_time()
    answer = await source.find(profile, email_type)
    while isinstance(answer, InProgress):
        if not is_vendor(source) or anyio.current_time() - began > WORKING_SECONDS:
            return Lost(why=LostReason.NO_ANSWER)
        job_id = answer.job_id
        await anyio.sleep(answer.poll_after)
        answer = await source.collect(job_id, email_type)
    return answer
