"""What the model reads beside the data: fixed sentences, each naming the right next call."""

from __future__ import annotations

from mcp_enrichment.contract.models import Reason, Status

NO_GUESS = "Do not construct or guess an address."

NOT_FINAL = (
    "Not final yet: call wait_for_enrichment with this id. Do not request it again. " + NO_GUESS
)
NOT_FOUND = f"No address was found. Tell the user so. {NO_GUESS}"
FAILED = (
    "The lookup failed, which says nothing about whether an address exists. Tell the user; it can "
    f"be requested again later. {NO_GUESS}"
)
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
}
SOME_NOT_FINAL = (
    "Call wait_for_enrichment again with the ids whose is_final is false. Do not request them "
    f"again. {NO_GUESS}"
)
NO_CREDITS = "No credits are left, so new requests will be refused. Tell the user."


def after(status: Status, reason: Reason | None) -> str | None:
    """The next step after an enrichment in this state; None where there is nothing left to do."""
    if status is Status.COMPLETED:
        return None
    if not status.is_final:
        return NOT_FINAL
    general = NOT_FOUND if status is Status.NOT_FOUND else FAILED
    return BY_REASON.get(reason, general) if reason else general
