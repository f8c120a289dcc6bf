"""Checks the arguments of a call before anything is sent."""

from __future__ import annotations

import re

from pydantic import ValidationError

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
    if not isinstance(linkedin_url, str):
        raise InvalidProfileURL
    try:
        profile = canonical_profile_url(linkedin_url)
    except ProfileURLError as error:
        raise InvalidProfileURL(error.explanation) from None
    try:
        body = EnrichmentRequest(
            linkedin_url=profile, type=type, callback_url=callback_url, external_id=external_id
        )
        body.model_dump_json()  # a lone surrogate is a valid str, but cannot be sent
    except ValidationError as error:
        raise InvalidArguments(_problem(error)) from None
    except ValueError:
        raise InvalidArguments from None
    if "\0" in (external_id or ""):
        raise InvalidArguments(_invalid("external_id holds a NUL character.", "Leave it out."))
    return body


def list_type(type: EmailType | str, max_credits: int | None = None) -> EmailType:  # noqa: A002
    """The type of a list's requests. Raises `InvalidArguments`."""
    if max_credits is not None and max_credits < 0:
        raise InvalidArguments(_invalid("max_credits is negative.", "Give 0 or more."))
    try:
        return EmailType(type)
    except ValueError:
        wrong = _invalid("type is neither work nor personal.", "Correct it and try again.")
        raise InvalidArguments(wrong) from None


def _problem(error: ValidationError) -> Explanation:
    """The argument that is wrong, without its value, which may be personal."""
    [first, *_] = error.errors(include_url=False, include_context=False, include_input=False)
    if first["type"] == "string_too_long":
        too_long = f"{first['loc'][0]} is longer than {MAX_EXTERNAL_ID} characters."
        return _invalid(too_long, "Shorten it.")
    return _invalid(f"{first['loc'][0]}: {first['msg']}.", "Correct it and try again.")


def _invalid(happened: str, advice: str) -> Explanation:
    return Explanation(happened=happened, money=NOTHING_SENT, for_person=advice)


def validate_id(enrichment_id: str) -> None:
    """Raise `UnknownEnrichment` for anything that is no id, or would change the path of the URL."""
    if not (isinstance(enrichment_id, str) and re.fullmatch(ENRICHMENT_ID, enrichment_id)):
        raise UnknownEnrichment
