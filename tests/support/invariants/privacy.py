"""Invariants of privacy: a suppressed person is not given out, and nothing is left of an erased
one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import String

from mcp_enrichment.service.db import schema
from mcp_enrichment.service.privacy.pseudonyms import normalize_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Table

    from tests.support.invariants.evidence import Evidence

_ABOUT_ERASED = """
    SELECT 'the call of ' || c.source, r.id
    FROM source_calls c JOIN requests r ON r.id = c.request_id
    WHERE r.reason = 'erased' AND r.redacted_at IS NOT NULL
        AND (c.email IS NOT NULL OR c.evidence IS NOT NULL OR c.vendor_job_id IS NOT NULL)
    UNION ALL SELECT 'an idempotency key', r.id
    FROM idempotency_keys k JOIN requests r ON r.id = k.request_id
    WHERE r.reason = 'erased' AND r.redacted_at IS NOT NULL
    UNION ALL SELECT 'a callback', r.id FROM callbacks c JOIN requests r ON r.id = c.request_id
    WHERE r.reason = 'erased' AND r.redacted_at IS NOT NULL
    UNION ALL SELECT 'the request', id FROM requests
    WHERE reason = 'erased' AND redacted_at IS NOT NULL
        AND (linkedin_url <> '' OR coalesce(email, '') <> '' OR external_id IS NOT NULL
             OR evidence IS NOT NULL OR traceparent IS NOT NULL)"""
_ASKED_BEFORE = "SELECT DISTINCT linkedin_url FROM requests WHERE created_at <= ?"


def _texts_of(table: Table) -> str:
    """A query of the texts in each row of a table. It reads the schema and not the product's
    inventory of personal data, in which a table may be missing."""
    columns = [column.name for column in table.c if isinstance(column.type, String)]
    if "email_local" in columns:
        columns.append("email_local || '@' || email_domain")
    joined = " || ' ' || ".join(f"coalesce({column}, '')" for column in columns)
    return f"SELECT '{table.name}', {joined} FROM {table.name}"  # noqa: S608 (fixed text)


_TABLES = [
    table
    for table in schema.metadata.sorted_tables
    if table is not schema.jobs and any(isinstance(column.type, String) for column in table.c)
]
_EVERYWHERE = " UNION ALL ".join(map(_texts_of, _TABLES))


def nothing_is_left_of_the_erased(evidence: Evidence) -> Iterator[str]:
    """No table has a text about an erased person, and no row is linked to one."""
    for what, request_id in evidence.rows(_ABOUT_ERASED):
        yield f"{what} of the erased request {request_id} is left"
    if not evidence.erased:
        return
    erased = [(number, text.lower()) for number, text in enumerate(evidence.erased, 1)]
    for table, texts in evidence.rows(_EVERYWHERE):
        for number, text in erased:
            if text in texts.lower():
                yield f"a row of {table} has text {number} about an erased person"


def no_file_has_an_erased_text(evidence: Evidence) -> Iterator[str]:
    """No file has a text about an erased person, not even in a free page. It reads all files, so it
    is checked at the end of a run."""
    texts = [(number, text.encode()) for number, text in enumerate(evidence.erased, 1)]
    for name, content in evidence.files() if texts else ():
        for number, text in texts:
            if text in content:
                yield f"the file {name} has text {number} about an erased person"


def the_suppressed_are_not_given_out(evidence: Evidence) -> Iterator[str]:
    """After a suppression no answer and no callback has the address, and no vendor is asked about
    the person for a request that came later."""
    since = {_normal(one): at for one, at in evidence.suppressed.items()}
    if not since:
        return
    for told in evidence.told:
        subjects = (told.question.profile, normalize_address(told.email or ""))
        if told.email and any(told.asked_at > since.get(one, told.asked_at) for one in subjects):
            yield f"{told.caller} was given a suppressed address"
    for received in evidence.callbacks:
        body = json.loads(received.body)
        email = (body.get("email") or {}).get("email") or ""
        subjects = (body.get("linkedin_url") or "", normalize_address(email))
        # Its time is in whole seconds, rounded down.
        sent_at = float(received.headers.get("webhook-timestamp", "0"))
        if email and any(sent_at > since.get(one, sent_at) for one in subjects):
            yield f"{received.headers.get('webhook-id')} has a suppressed address"
    yield from _asked_about(evidence)


def _asked_about(evidence: Evidence) -> Iterator[str]:
    for profile, at in evidence.suppressed.items():
        later = [a for a in evidence.vendor_answers if a.profile == profile and a.at > at]
        # The profile of an erased request is gone: it may be about this person.
        if later and not {(profile,), ("",)}.intersection(evidence.rows(_ASKED_BEFORE, at)):
            yield f"{later[0].vendor} was asked about {profile}, who is suppressed"


def _normal(subject: str) -> str:
    return normalize_address(subject) if "@" in subject else subject
