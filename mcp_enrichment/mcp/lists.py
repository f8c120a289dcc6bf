"""The tool for a list of profiles: a row for each, as a table, and a preview of the cost.

The table has columns and rows rather than objects, and only the values that a reader needs: a model
reads a fifth of the bytes of single calls.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import anyio
from pydantic import BaseModel, Field

from mcp_enrichment.client.results import EnrichmentResult, as_reused, canonical_or_none
from mcp_enrichment.client.saved_lists import PREFIX
from mcp_enrichment.contract.errors import (
    BudgetExceeded,
    EnrichmentError,
    InsufficientCredits,
    InvalidProfileURL,
    NotConfirmed,
    StorageFailed,
)
from mcp_enrichment.contract.models import Status
from mcp_enrichment.mcp import next_steps
from mcp_enrichment.mcp.arguments import WAIT_CAP

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mcp_enrichment.client.lists import ListPreview, ListRow
    from mcp_enrichment.client.scoped import ToolClient
    from mcp_enrichment.mcp.arguments import ListArguments
    from mcp_enrichment.mcp.call_context import CallContext

SPARE_SECONDS = 3.0
"""The part of a call's cap that is kept for reading the balance and building the table."""
CREDITS_SECONDS = 0.4
"""Seconds to wait for the balance: less than a call may be late (`runner.GRACE`)."""
MAX_SHOWN_URL = 120
"""Characters of an invalid URL that the table shows."""
INVALID, NOT_REQUESTED, ERROR = "invalid", "not-requested", "error"
"""The states of rows that have no enrichment, beside the contract's."""
Cell = str | int | bool | None
Cells = tuple[Cell, ...]
Entry = EnrichmentResult | Cells
"""A row: a result, or the cells of a row that has none."""
COLUMNS = (
    "linkedin_url",
    "status",
    "credits_charged",
    "email",
    "source",
    "verification",
    "reused",
    "external_id",
    "id",
    "reason",
)
_STATUS, _CHARGED, _REUSED = map(COLUMNS.index, ("status", "credits_charged", "reused"))


class PreviewOutput(BaseModel):
    known: int
    running: int
    new: int
    duplicates: int
    invalid: int
    unknown: Annotated[int, Field(description="Not requested again.")]
    max_credits: int
    max_cost: Annotated[str | None, Field(description="In money.")]


class SummaryOutput(BaseModel):
    completed: int
    not_found: int
    failed: int
    open: int
    not_requested: int
    invalid: int
    reused: int
    credits_charged: int
    credits_left: int | None


class TableOutput(BaseModel):
    columns: list[str]
    rows: Annotated[
        list[list[Cell]],
        Field(description="Without nulls at the end."),
    ]
    summary: SummaryOutput | None
    preview: Annotated[PreviewOutput | None, Field(exclude_if=lambda value: value is None)] = None
    list_id: str | None
    all_final: bool
    next_step: str | None


async def request_list(
    client: ToolClient, arguments: ListArguments, call: CallContext
) -> TableOutput:
    """Run the tool. Raises an error if every row has one."""
    if arguments.preview or not call.may_spend:
        preview = await client.preview_many(arguments.linkedin_urls, arguments.type)
        if preview.invalid == preview.total:
            raise InvalidProfileURL
        if arguments.preview:
            return _preview_table(client, preview, arguments.max_credits)
        if preview.new:
            raise NotConfirmed
    entries = await _request_all(client, arguments, call)
    return await to_table(client, entries)


async def question(client: ToolClient, arguments: ListArguments) -> str:
    """The question for the user's consent, with the most that the list can cost."""
    preview = await client.preview_many(arguments.linkedin_urls, arguments.type)
    most = _most_credits(preview, arguments.max_credits)
    cost = client.cost(most)
    return (
        f"Look up the {arguments.type} emails of {preview.new} people? It costs at most {most} "
        f"credits{f' ({cost})' if cost else ''}: one for each address found."
    )


async def to_table(client: ToolClient, entries: Sequence[Entry]) -> TableOutput:
    """The entries as a table, whose open rows get an id of their own."""
    rows = [_cells(entry) for entry in entries]
    open_rows = sum(map(_is_open, entries))
    counts = Counter(row[_STATUS] for row in rows)
    return TableOutput(
        columns=list(COLUMNS),
        rows=[_without_trailing_nulls(row) for row in rows],
        summary=SummaryOutput(
            completed=counts[Status.COMPLETED],
            not_found=counts[Status.NOT_FOUND],
            failed=counts[Status.FAILED] + counts[ERROR],
            open=open_rows,
            not_requested=counts[NOT_REQUESTED],
            invalid=counts[INVALID],
            reused=sum(row[_REUSED] is True for row in rows),
            credits_charged=sum(int(row[_CHARGED] or 0) for row in rows),
            credits_left=await _credits_left(client),
        ),
        list_id=await _save(client, entries) if open_rows else None,
        all_final=not open_rows,
        next_step=next_steps.after_list(
            is_open=bool(open_rows),
            is_refused=bool(counts[NOT_REQUESTED]),
            has_gaps=counts[Status.COMPLETED] < len(rows),
        ),
    )


@dataclass(frozen=True, slots=True)
class SavedRows:
    """The rows of saved lists, without what the service returns about them."""

    rows: Sequence[dict[str, Any]]

    @property
    def ids(self) -> Sequence[str]:
        """The ids of the enrichments."""
        return [row["id"] for row in self.rows if "id" in row]

    def entries(self, results: Iterable[EnrichmentResult]) -> Sequence[Entry]:
        """The rows with these results of their ids."""
        left = iter(results)
        return [
            _restored(row, next(left)) if "id" in row else tuple(row["cells"]) for row in self.rows
        ]


async def read_lists(client: ToolClient, list_ids: Iterable[str], *, only_open: bool) -> SavedRows:
    """Read saved lists. `only_open`: the rows that were not final when they were saved.

    Raises `UnknownEnrichment` if this account has no such list.
    """
    rows: list[dict[str, Any]] = []
    for list_id in list_ids:
        rows += json.loads(await client.read_list(list_id))
    return SavedRows([row for row in rows if row.get("open") or not only_open])


def split_ids(ids: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The ids of lists, and those of enrichments."""
    lists = [one for one in ids if one.startswith(PREFIX)]
    return lists, [one for one in ids if one not in lists]


async def _request_all(
    client: ToolClient, arguments: ListArguments, call: CallContext
) -> Sequence[Entry]:
    until = call.started_at + min(arguments.wait_seconds, WAIT_CAP - SPARE_SECONDS)
    rows = client.enrich_many(
        arguments.linkedin_urls,
        arguments.type,
        external_ids=arguments.external_ids,
        max_credits=arguments.max_credits if call.may_spend else 0,
        wait=max(until - anyio.current_time(), 0.0),
    )
    answered: dict[int, ListRow] = {}
    call.progress.set(0, total=len(arguments.linkedin_urls))
    async with aclosing(rows):
        async for row in rows:
            answered[row.index] = row
            final = sum(one.result is None or one.result.is_final for one in answered.values())
            call.progress.set(final, total=len(arguments.linkedin_urls))
    in_order = [row for _, row in sorted(answered.items())]
    errors = [row.error for row in in_order if row.error]
    if len(errors) == len(in_order) and len(set(map(type, errors))) == 1:
        raise errors[0]
    return [row.result or _cells_without_result(row) for row in in_order]


def _cells(entry: Entry) -> Cells:
    if not isinstance(entry, EnrichmentResult):
        return entry
    error = entry.read_error
    return (
        _short(entry.linkedin_url),
        entry.status,
        entry.credits_charged,
        entry.email,
        entry.source,
        entry.verification,
        entry.reused or None,
        entry.external_id,
        entry.id if _is_open(entry) else None,
        error.code if error else entry.reason,
    )


def state_without_result(error: EnrichmentError | None) -> tuple[str, str]:
    """The status, and the reason for it, of a row that has this error, or was not requested in
    time."""
    if isinstance(error, InvalidProfileURL):
        return INVALID, error.explanation.happened
    if error is None or isinstance(error, BudgetExceeded | InsufficientCredits):
        return NOT_REQUESTED, error.code if error else "no_time_left"
    return ERROR, error.code


def _cells_without_result(row: ListRow) -> Cells:
    """The cells of a row that has an error, or was not requested in time."""
    error, url = row.error, row.item.linkedin_url
    status, reason = state_without_result(error)
    shown = _short(canonical_or_none(url)) or _printable(url)
    charged = error.charged if error else False
    return (
        shown,
        status,
        None if charged is None else 0,
        *(None,) * 4,
        row.item.external_id,
        None,
        reason,
    )


def _is_open(entry: Entry) -> bool:
    return isinstance(entry, EnrichmentResult) and entry.should_wait


def _without_trailing_nulls(row: Cells) -> list[Cell]:
    cells = list(row)
    while cells[-1] is None:
        cells.pop()
    return cells


def _short(url: str | None) -> str | None:
    """A canonical URL without the part that all have: a model reads each of them."""
    return url and url.removeprefix("https://www.")


def _printable(text: str) -> str:
    return "".join(filter(str.isprintable, text[:MAX_SHOWN_URL]))


async def _save(client: ToolClient, entries: Sequence[Entry]) -> str | None:
    """The id of the saved list; None if it cannot be saved: the open rows have ids of their own."""
    with suppress(StorageFailed):
        return await client.save_list(json.dumps([_saved(entry) for entry in entries]))
    return None


def _saved(entry: Entry) -> dict[str, Any]:
    if not isinstance(entry, EnrichmentResult):
        return {"cells": entry}
    reference = {"external_id": entry.external_id}
    return {"id": entry.id, "open": _is_open(entry), "reused": entry.reused, **reference}


def _restored(saved: dict[str, Any], result: EnrichmentResult) -> EnrichmentResult:
    result = as_reused(result) if saved["reused"] else result
    return replace(result, external_id=saved["external_id"])


async def _credits_left(client: ToolClient) -> int | None:
    """The credits that may still be spent; None if they cannot be read within `CREDITS_SECONDS`:
    the table is returned without them."""
    with suppress(EnrichmentError), anyio.move_on_after(CREDITS_SECONDS):
        view = await client.credits()
        return view.balance if view.left is None else view.left
    return None


def _preview_table(
    client: ToolClient, preview: ListPreview, max_credits: int | None
) -> TableOutput:
    most = _most_credits(preview, max_credits)
    counts = asdict(preview)
    del counts["total"]
    return TableOutput(
        columns=[],
        rows=[],
        summary=None,
        preview=PreviewOutput(**counts, max_credits=most, max_cost=client.cost(most)),
        list_id=None,
        all_final=True,
        next_step=next_steps.after_preview(most),
    )


def _most_credits(preview: ListPreview, max_credits: int | None) -> int:
    return preview.new if max_credits is None else min(preview.new, max_credits)
