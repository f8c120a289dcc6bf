"""What a caller asks for, checked before anything is sent."""

from __future__ import annotations

import re

from mcp_enrichment.contract.errors import InvalidArguments, InvalidProfileURL, UnknownEnrichment
from mcp_enrichment.contract.explanation import NOTHING_SENT, Explanation
from mcp_enrichment.contract.http import ENRICHMENT_ID
from mcp_enrichment.contract.linkedin_url import ProfileURLError, canonical_profile_url
from mcp_enrichment.contract.models import MAX_EXTERNAL_ID, EmailType, EnrichmentRequest


def build_request(
    linkedin_url: str,
    type: EmailType | str,  # noqa: A002
    callback_url: str | None,
    external_id: str | None,
) -> EnrichmentRequest:
    if external_id is not None and len(external_id) > MAX_EXTERNAL_ID:
        raise InvalidArguments(
            Explanation(
                happened=f"external_id is longer than {MAX_EXTERNAL_ID} characters.",
                money=NOTHING_SENT,
                for_person="Shorten it.",
            )
        )
    if external_id is not None and "\0" in external_id:
        raise InvalidArguments(
            Explanation(
                happened="external_id holds a NUL character.",
                money=NOTHING_SENT,
                for_person="Leave it out.",
            )
        )
    try:
        profile = canonical_profile_url(linkedin_url)
    except ProfileURLError as refusal:
        raise InvalidProfileURL(refusal.explanation) from None
    try:
        body = EnrichmentRequest(
            linkedin_url=profile, type=type, callback_url=callback_url, external_id=external_id
        )
        body.model_dump_json()  # half a surrogate pair is a str, and cannot be sent
    except ValueError:
        raise InvalidArguments from None
    return body


def validate_id(enrichment_id: str) -> None:
    """An id that would lead to another path, or to none, is not sent."""
    if not re.fullmatch(ENRICHMENT_ID, enrichment_id):
        raise UnknownEnrichment
