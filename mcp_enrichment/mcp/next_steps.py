"""The field `next_step`: fixed sentences that tell an assistant or a person what to do next."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mcp_enrichment.contract.explanation import Explanation
from mcp_enrichment.contract.models import Reason, Status, Verification

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcp_enrichment.client.results import EnrichmentResult
    from mcp_enrichment.contract.errors import EnrichmentError

NO_GUESS = "Do not construct or guess an address."

WAITING_IS_FREE = "Waiting for it costs nothing."
NOT_CHARGED = "No credit was charged."
FREE_TO_READ = "Reading the answer again is free."
NOTHING_FOR_THIS = "This call cost nothing."
EARLIER_ARE_FREE = "Reading earlier answers is free."


def _found(happened: str) -> Explanation:
    return Explanation(
        happened=happened,
        money=FREE_TO_READ,
        for_person="Check it before you rely on it.",
        for_assistant="Say so when you use it.",
    )


NOT_FINAL = Explanation(
    happened="Not final yet.",
    money=WAITING_IS_FREE,
    for_person="Ask again later: this lookup is joined, and not paid for twice.",
    for_assistant="Call wait_for_enrichment with this id. Do not request it again. " + NO_GUESS,
)
MAX_WAIT_SECONDS = 20 * 60.0
"""Seconds after which the client should stop waiting for a lookup."""
COME_BACK = Explanation(
    happened="Not final after 20 minutes.",
    money=WAITING_IS_FREE,
    for_person="Ask again tomorrow: this lookup is joined, and not paid for twice.",
    for_assistant="Stop waiting, and tell the user that the answer comes later. Then call "
    f"get_enrichment with this id; do not request it again. {NO_GUESS}",
)
NOT_FOUND = Explanation(
    happened="No address was found.",
    money=FREE_TO_READ,
    for_person="Ask again in some weeks, or for the other kind of address.",
    for_assistant=f"Tell the user so. {NO_GUESS}",
)
FAILED = Explanation(
    happened="The lookup failed, which says nothing about whether an address exists.",
    money=FREE_TO_READ,
    for_person="Ask again later.",
    for_assistant=f"Tell the user; it can be requested again later. {NO_GUESS}",
)
BY_REASON: Mapping[Reason | None, Explanation] = {
    Reason.NO_CONTACTS: Explanation(
        happened="Nothing can be found before contacts are imported.",
        money=NOT_CHARGED,
        for_person="Export your LinkedIn connections (Settings & Privacy > Data privacy > Get a "
        "copy of your data), run `mcp-enrichment contacts import FILE`, then ask again.",
        for_assistant="Tell the user to export their LinkedIn connections (Settings & Privacy > "
        "Data privacy > Get a copy of your data) and to run `mcp-enrichment contacts import "
        f"FILE`; then request it again. {NO_GUESS}",
    ),
    Reason.SOURCES_MISCONFIGURED: Explanation(
        happened="A source of addresses refuses its key or settings.",
        money=NOT_CHARGED,
        for_person="`mcp-enrichment sources list` shows which: correct them, then ask again.",
        for_assistant="Tell the user to check them: requesting it again before that cannot help. "
        f"{NO_GUESS}",
    ),
    Reason.ANSWER_LOST: Explanation(
        happened="A source was asked, but its answer is lost.",
        money="The source may have charged.",
        for_person="Ask again with `--refresh` only if it may be paid for twice.",
        for_assistant="Tell the user, and request it again only if the user agrees that it may be "
        f"paid twice. {NO_GUESS}",
    ),
    Reason.SOURCE_OUT_OF_CREDIT: Explanation(
        happened="A source of addresses has no credit left.",
        money=NOT_CHARGED,
        for_person="Buy some there, then ask again.",
        for_assistant="Tell the user to buy some there: requesting it again before that cannot "
        f"help. {NO_GUESS}",
    ),
    Reason.SOURCE_HIDES_ADDRESS: Explanation(
        happened="A source has an address, but the plan that is paid for there does not show it.",
        money=NOT_CHARGED,
        for_person="Change the plan there, then ask again.",
        for_assistant=f"Tell the user so. {NO_GUESS}",
    ),
    Reason.SANDBOX: Explanation(
        happened="This is a sandbox answer: nobody was looked up.",
        money="Its credits are not real.",
        for_person="Unset ENRICHMENT_SANDBOX where the service runs, for real lookups.",
        for_assistant=f"Tell the user so. {NO_GUESS}",
    ),
    Reason.SUPPRESSED: Explanation(
        happened="This person, or their address, is on the service's suppression list.",
        money=NOTHING_FOR_THIS,
        for_person="Do not ask again.",
        for_assistant=f"Tell the user so, and do not request it again. {NO_GUESS}",
    ),
    Reason.ERASED: Explanation(
        happened="What was stored about this person was erased.",
        money=NOTHING_FOR_THIS,
        for_person="Do not expect an answer from it any more.",
        for_assistant=f"Tell the user so. {NO_GUESS}",
    ),
    Reason.EXPIRED: Explanation(
        happened="This answer was deleted, as it had expired.",
        money=NOTHING_FOR_THIS,
        for_person="Ask again for a new lookup, which may cost a credit.",
        for_assistant=f"It can be requested again, which may cost a credit. {NO_GUESS}",
    ),
}
BY_VERIFICATION: Mapping[Verification | None, Explanation] = {
    Verification.UNVERIFIED: _found("The address is not verified."),
    Verification.CATCH_ALL: _found(
        "The address cannot be verified, as its domain accepts any address."
    ),
    Verification.INFERRED: _found(
        "The address is inferred from how addresses at its domain are formed, and never confirmed."
    ),
}
CALLBACK_DROPPED = (
    "The callback_url of this call is not registered, as an earlier request was joined: only the "
    "callback_url that the earlier request was made with is called."
)
NOT_READ = Explanation(
    happened="The service could not be asked about this enrichment, so its state is not known.",
    money=NOTHING_FOR_THIS,
    for_person="Ask again in a minute.",
    for_assistant=f"Call wait_for_enrichment with this id again. {NO_GUESS}",
)
ANSWER_UNUSABLE = Explanation(
    happened="The service's answer about this enrichment cannot be used.",
    money=NOTHING_FOR_THIS,
    for_person="Report this to the operator of the service.",
    for_assistant=f"Tell the user that the service misbehaves; do not request it again. {NO_GUESS}",
)
SOME_NOT_FINAL = Explanation(
    happened="Some are not final yet.",
    money=WAITING_IS_FREE,
    for_person=NOT_FINAL.for_person,
    for_assistant="Call wait_for_enrichment again with the ids whose is_final is false. Do not "
    f"request them again. {NO_GUESS}",
)
ALL_COME_BACK = Explanation(
    happened="Some lookups have run for 20 minutes and are not final.",
    money=WAITING_IS_FREE,
    for_person=COME_BACK.for_person,
    for_assistant="Stop waiting, and tell the user that the answers come later. Then call "
    f"get_enrichment with each id; do not request them again. {NO_GUESS}",
)
BUDGET_SPENT = Explanation(
    happened="The budget leaves nothing to spend now, so new requests will be refused.",
    money=EARLIER_ARE_FREE,
    for_person="Raise ENRICHMENT_DAILY_BUDGET, lower ENRICHMENT_RESERVE, or wait for midnight UTC.",
    for_assistant="Tell the user.",
)
NO_CREDITS = Explanation(
    happened="No credits are left, so new requests will be refused.",
    money=EARLIER_ARE_FREE,
    for_person="Add some (to the embedded service by `mcp-enrichment credits grant N`).",
    for_assistant="Tell the user.",
)

LIST_OPEN = Explanation(
    happened="Some rows are not final yet.",
    money=WAITING_IS_FREE,
    for_person=NOT_FINAL.for_person,
    for_assistant="Call wait_for_enrichment with ids=[list_id], or with their ids if it is null. "
    "Do not request them again.",
)
LIST_REFUSED = Explanation(
    happened="Some rows were not requested: their reason says why.",
    money="They cost nothing.",
    for_person="Ask for them again with more credits.",
    for_assistant="Tell the user; call again with the same list for them only if the user agrees.",
)
PREVIEWED = Explanation(
    happened="Nothing was requested.",
    money=NOTHING_FOR_THIS,
    for_person="Request the list to look up the new ones.",
    for_assistant="Tell the user the cost, and call again without preview if the user agrees.",
)


def next_step(result: EnrichmentResult) -> Explanation | None:
    """The next step for an enrichment; None if there is nothing to do."""
    if not result.is_final:
        age = 0.0 if result.asked_at is None else time.time() - result.asked_at
        return COME_BACK if age >= MAX_WAIT_SECONDS else NOT_FINAL
    if result.reason in BY_REASON:
        return BY_REASON[result.reason]
    if result.status is Status.COMPLETED:
        return BY_VERIFICATION.get(result.verification)
    return NOT_FOUND if result.status is Status.NOT_FOUND else FAILED


def next_step_of_wait(left: Sequence[EnrichmentResult]) -> Explanation | None:
    """The next step after a wait that has left these to wait for."""
    if not left:
        return None
    all_come_back = all(next_step(result) == COME_BACK for result in left)
    return ALL_COME_BACK if all_come_back else SOME_NOT_FINAL


def after_read_error(error: EnrichmentError | None) -> Explanation | None:
    """The next step for an enrichment whose state could not be read in a wait."""
    if error is None:
        return None
    return NOT_READ if error.retryable else ANSWER_UNUSABLE


def after_credits(balance: int, budget_left: int | None) -> Explanation | None:
    """The next step after `get_credits`."""
    if not balance:
        return NO_CREDITS
    return BUDGET_SPENT if budget_left == 0 else None


def after_list(*, is_open: bool, is_refused: bool, has_gaps: bool) -> str | None:
    """The next step after a table. `has_gaps`: some rows have no email."""
    steps = [LIST_OPEN.to_assistant()] * is_open + [LIST_REFUSED.to_assistant()] * is_refused
    return " ".join([*steps, *[NO_GUESS] * has_gaps]) or None


def after_preview(most_credits: int) -> str | None:
    """The next step after a preview."""
    return PREVIEWED.to_assistant() if most_credits else None
