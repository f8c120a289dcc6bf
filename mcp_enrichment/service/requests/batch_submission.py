"""Accepts several requests of a team in one transaction."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mcp_enrichment.contract.errors import (
    CommitUnknown,
    EnrichmentError,
    InsufficientCredits,
    InvalidArguments,
)
from mcp_enrichment.service.billing import ledger
from mcp_enrichment.service.requests.submission import Accepted, NewRequest, prepare, store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import TypeAlias

    from sqlalchemy import Connection

    from mcp_enrichment.contract.models import EnrichmentRequest
    from mcp_enrichment.service.context import ServiceContext

    _Question: TypeAlias = tuple[str, str]


class _TooFewCredits(Exception):
    """The transaction must be made again without new requests for these questions."""

    def __init__(self, unpaid: Iterable[_Question]) -> None:
        super().__init__()
        self.unpaid = frozenset(unpaid)


async def accept_all(
    service: ServiceContext,
    team_id: int,
    batch: Sequence[tuple[EnrichmentRequest, str | None]],
) -> Sequence[Accepted | EnrichmentError]:
    """Accept requests, each with its idempotency key; the outcomes in their order.

    All that can be accepted are one transaction. Each of the others has the error that `accept`
    would raise. If the credits do not suffice, the first requests get them.
    """
    prepared = [_prepare(service, team_id, *one) for one in batch]
    new = {place: one for place, one in enumerate(prepared) if isinstance(one, NewRequest)}
    refused = {place: one for place, one in enumerate(prepared) if isinstance(one, EnrichmentError)}
    try:
        outcomes = refused | await _write(service, team_id, new)
    except CommitUnknown:
        for one in new.values():
            one.lookup.begin()  # as in `accept`
        raise
    except BaseException:
        for one in new.values():
            one.lookup.withdraw()
        raise
    for place, one in new.items():
        if _is_created(outcomes[place], one):
            one.lookup.begin()
        else:
            one.lookup.withdraw()
    return [outcomes[place] for place in range(len(batch))]


def _prepare(
    service: ServiceContext, team_id: int, asked: EnrichmentRequest, key: str | None
) -> NewRequest | EnrichmentError:
    try:
        return prepare(service, team_id, asked, key)
    except EnrichmentError as refusal:
        return refusal


async def _write(
    service: ServiceContext, team_id: int, new: Mapping[int, NewRequest]
) -> dict[int, Accepted | EnrichmentError]:
    unpaid: frozenset[_Question] = frozenset()
    while new:
        try:
            return await service.database.write(
                partial(_store_all, team_id=team_id, new=new, unpaid=unpaid)
            )
        except _TooFewCredits as shortage:  # at least one more: the loop ends
            unpaid |= shortage.unpaid
    return {}


def _store_all(
    connection: Connection,
    *,
    team_id: int,
    new: Mapping[int, NewRequest],
    unpaid: frozenset[_Question],
) -> dict[int, Accepted | EnrichmentError]:
    outcomes: dict[int, Accepted | EnrichmentError] = {}
    # Two batches with the same profiles store them in the same order: so there is no deadlock.
    for place in sorted(new, key=lambda place: (_question(new[place]), place)):
        try:
            outcomes[place] = store(
                connection, new[place], is_payable=_question(new[place]) not in unpaid
            )
        except (InsufficientCredits, InvalidArguments) as refusal:
            outcomes[place] = refusal
    created = [place for place in sorted(new) if _is_created(outcomes[place], new[place])]
    if created:
        # Requests before balances, as everywhere.
        ids = [new[place].request.id for place in created]
        at = new[created[0]].request.created_at
        if not ledger.hold(connection, team_id, ids, at=at):
            available = ledger.balance(connection, team_id).available
            unpaid_ones = created[min(available, len(created) - 1) :]
            raise _TooFewCredits(_question(new[place]) for place in unpaid_ones)
    return outcomes


def _question(new: NewRequest) -> _Question:
    return new.request.linkedin_url, new.request.type


def _is_created(outcome: Accepted | EnrichmentError, new: NewRequest) -> bool:
    return isinstance(outcome, Accepted) and outcome.request is new.request
