"""What the model reads beside the data: fixed sentences, each naming the right next call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_enrichment.contract.models import Reason, Status, Verification

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_GUESS = "Do not construct or guess an address."

NOT_FINAL = (
    "Not final yet: call wait_for_enrichment with this id. Do not request it again. " + NO_GUESS
)
PATIENCE = 20 * 60.0
"""Seconds after which a lookup is no longer waited for."""
COME_BACK = (
    "Not final after 20 minutes: stop waiting, and tell the user that the answer comes later. Then "
    f"call get_enrichment with this id; do not request it again. {NO_GUESS}"
)
NOT_FOUND = f"No address was found. Tell the user so. {NO_GUESS}"
FAILED = (
    "The lookup failed, which says nothing about whether an address exists. Tell the user; it can "
    f"be requested again later. {NO_GUESS}"
)
SANDBOX = f"This is a sandbox answer: nobody was looked up. Tell the user so. {NO_GUESS}"
BY_REASON = {
    Reason.NO_CONTACTS: (
        "Nothing can be found before contacts are imported. Tell the user to export their LinkedIn "
        "connections (Settings & Privacy > Data privacy > Get a copy of your data) and to run "
        f"`mcp-enrichment contacts import FILE`; then request it again. {NO_GUESS}"
    ),
    Reason.SOURCES_MISCONFIGURED: (
        "A source of addresses refuses its key or settings. Tell the user to check them: "
        f"requesting it again before that cannot help. {NO_GUESS}"
    ),
    Reason.ANSWER_LOST: (
        "A source was asked and may have charged, but its answer is lost. Tell the user, and "
        f"request it again only if the user agrees that it may be paid twice. {NO_GUESS}"
    ),
    Reason.SOURCE_OUT_OF_CREDIT: (
        "A source of addresses has no credit left. Tell the user to buy some there: requesting it "
        f"again before that cannot help. {NO_GUESS}"
    ),
    Reason.SOURCE_HIDES_ADDRESS: (
        "A source has an address, but the user's plan there does not show it. Tell the user so. "
        f"{NO_GUESS}"
    ),
    Reason.SANDBOX: SANDBOX,
    Reason.SUPPRESSED: (
        "This person, or their address, is on the service's suppression list. "
        f"Tell the user so, and do not request it again. {NO_GUESS}"
    ),
    Reason.ERASED: f"What was stored about this person was erased. Tell the user so. {NO_GUESS}",
    Reason.EXPIRED: (
        "This answer was deleted, as it had expired. It can be requested again, which may cost "
        f"a credit. {NO_GUESS}"
    ),
}
BY_VERIFICATION = {
    Verification.UNVERIFIED: "Not verified: say so when you use it.",
    Verification.CATCH_ALL: (
        "Cannot be verified, as its domain accepts any address: say so when you use it."
    ),
    Verification.INFERRED: (
        "Inferred from how addresses at its domain are formed, never confirmed: say so when you "
        "use it."
    ),
}
CALLBACK_DROPPED = (
    "The callback_url of this call is not registered, as an earlier request was joined: only the "
    "callback_url that the earlier request was made with is called."
)
NOT_READ = (
    "The service could not be asked about this enrichment: its state is not known, and no answer "
    "may be assumed."
)
ANSWER_UNUSABLE = (
    "The service's answer about this enrichment cannot be used. Tell the user that the service "
    "misbehaves; do not request it again."
)
SOME_NOT_FINAL = (
    "Call wait_for_enrichment again with the ids whose is_final is false. Do not request them "
    f"again. {NO_GUESS}"
)
ALL_COME_BACK = (
    "What is not final has run for 20 minutes: stop waiting, and tell the user that the answers "
    f"come later. Then call get_enrichment with each id; do not request them again. {NO_GUESS}"
)
BUDGET_SPENT = (
    "The user's budget leaves nothing to spend now, so new requests will be refused. Tell the user."
)
NO_CREDITS = "No credits are left, so new requests will be refused. Tell the user."


def after(
    status: Status, reason: Reason | None, verification: Verification | None, age: float
) -> str | None:
    """The next step after an enrichment in this state, of this age in seconds; None where there is
    nothing left to do."""
    if not status.is_final:
        return COME_BACK if age >= PATIENCE else NOT_FINAL
    found = BY_VERIFICATION.get(verification) if verification else None
    general = {Status.COMPLETED: found, Status.NOT_FOUND: NOT_FOUND, Status.FAILED: FAILED}[status]
    return BY_REASON.get(reason, general) if reason else general


def after_all(left: Sequence[str | None]) -> str | None:
    """The next step after a wait, by the next steps of those enrichments that are not final."""
    if not left:
        return None
    return ALL_COME_BACK if all(step == COME_BACK for step in left) else SOME_NOT_FINAL


def after_credits(balance: int, budget_left: int | None) -> str | None:
    """The next step after the balance was told."""
    if not balance:
        return NO_CREDITS
    return BUDGET_SPENT if budget_left == 0 else None
