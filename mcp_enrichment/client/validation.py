"""Checks the arguments of a call before anything is sent."""

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
    """The body of the POST. Raises `InvalidArguments` and `InvalidProfileURL`."""
    _check_external_id(external_id or "")
    try:
        profile = canonical_profile_url(linkedin_url)
    except ProfileURLError as error:
        raise InvalidProfileURL(error.explanation) from None
    try:
        body = EnrichmentRequest(
            linkedin_url=profile, type=type, callback_url=callback_url, external_id=external_id
        )
        body.model_dump_json()  # a lone surrogate is a valid str, but cannot be sent
    except ValueError:
        raise InvalidArguments from None
    return body


def _check_external_id(external_id: str) -> None:
    if len(external_id) > MAX_EXTERNAL_ID:
        too_long = f"external_id is longer than {MAX_EXTERNAL_ID} characters."
        raise InvalidArguments(_invalid(too_long, "Shorten it."))
    if "\0" in external_id:
        raise InvalidArguments(_invalid("external_id holds a NUL character.", "Leave it out."))


def _invalid(happened: str, advice: str) -> Explanation:
    return Explanation(happened=happened, money=NOTHING_SENT, for_person=advice)


def validate_id(enrichment_id: str) -> None:
    """Raise `UnknownEnrichment` for an id that would change the path of the URL."""
    if not re.fullmatch(ENRICHMENT_ID, enrichment_id):
        raise UnknownEnrichment
