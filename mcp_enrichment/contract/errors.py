"""The tree of errors.

EnrichmentError
├── PermanentError             the same call cannot succeed later
│   ├── InvalidArguments       invalid_arguments
│   │   ├── CallbackRefused
│   │   └── IdempotencyConflict
│   ├── InvalidProfileURL      invalid_profile_url
│   ├── Unauthorized           unauthorized
│   ├── InsufficientCredits    insufficient_credits
│   ├── BudgetExceeded         budget_exceeded
│   │   ├── CreditCapReached
│   │   └── NotConfirmed
│   ├── UnknownEnrichment      unknown_enrichment
│   ├── OutcomeUnknown         outcome_unknown      (it may have cost a credit)
│   ├── InternalError          internal_error
│   └── BadAnswer              bad_answer
│       └── UnusableAddress                         (it may have cost a credit)
└── TransientError             the same call may succeed later
    ├── RateLimited            rate_limited
    └── ServiceUnavailable     service_unavailable
        ├── DeadlineExceeded                        (it may have cost a credit)
        └── StorageFailed      service_unavailable  (a database or state file)
            └── CommitUnknown  outcome_unknown      (it may have cost a credit)

Each class has an explanation: what happened, what it means for money, and what to do, for an
assistant and for a person. It contains no text from outside: no response body, no key, no email.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar

from mcp_enrichment.contract.explanation import NOTHING_DONE, NOTHING_SENT, Explanation
from mcp_enrichment.contract.storage_errors import TRANSIENT
from mcp_enrichment.contract.storage_errors import StorageFault as StorageFault  # noqa: PLC0414 (a re-export)


class EnrichmentError(Exception):
    """The root of all errors."""

    code: ClassVar[str]
    retryable: bool
    """Whether the same call may succeed later."""
    body_code: ClassVar[str | None] = None
    """The code in error bodies of our service, if it is more specific than `code`."""
    charged: ClassVar[bool | None] = False
    """False: no credit was charged. None: unknown."""
    explanation: Explanation
    """The default of the class, unless one is passed."""

    def __init__(
        self, explanation: Explanation | None = None, *, retry_after: float | None = None
    ) -> None:
        if explanation is not None:
            self.explanation = explanation
        super().__init__(self.explanation.to_person())
        self.retry_after = retry_after
        """Seconds of a `Retry-After` header."""

    @property
    def wait_seconds(self) -> int | None:
        """`retry_after` in whole seconds."""
        return math.ceil(self.retry_after) if self.retry_after else None

    def to_assistant(self) -> str:
        """The text for a model that calls the tools."""
        return f"{self.explanation.to_assistant()}{self._wait_first()}"

    def to_person(self) -> str:
        """The text for a terminal, and for an error body over HTTP."""
        return f"{self.explanation.to_person()}{self._wait_first()}"

    def _wait_first(self) -> str:
        return f" (Wait {self.wait_seconds} seconds first.)" if self.wait_seconds else ""


class PermanentError(EnrichmentError):
    """The same call cannot succeed later."""

    retryable = False


class TransientError(EnrichmentError):
    """The same call may succeed later."""

    retryable = True


class InvalidArguments(PermanentError):
    code = "invalid_arguments"
    explanation = Explanation(
        happened="The arguments were refused.",
        money=NOTHING_DONE,
        for_person="Correct them and try again.",
        for_assistant="Correct them and call again.",
    )


class InvalidProfileURL(PermanentError):
    code = "invalid_profile_url"
    explanation = Explanation(
        happened="That is not the URL of a person's LinkedIn profile.",
        money=NOTHING_SENT,
        for_person="Give a URL of the form https://www.linkedin.com/in/<username>.",
        for_assistant="Pass a URL of the form https://www.linkedin.com/in/<username>; ask the user "
        "for it if you do not have it.",
    )


class CallbackRefused(InvalidArguments):
    body_code = "invalid_callback_url"
    explanation = Explanation(
        happened="The callback_url was refused: it must be an http or https URL of a public host, "
        "without a user name, on a port that is allowed (80 and 443 unless set otherwise).",
        money=NOTHING_DONE,
        for_person="Correct it, or leave it out and ask for the answer instead.",
        for_assistant="Correct it, or leave it out and use wait_for_enrichment.",
    )


class IdempotencyConflict(InvalidArguments):
    body_code = "idempotency_conflict"
    explanation = Explanation(
        happened="This Idempotency-Key was used before with another body.",
        money=NOTHING_DONE,
        for_person="Send the first body again, or a new key.",
        for_assistant="Call again with the arguments of the first request.",
    )


class Unauthorized(PermanentError):
    code = "unauthorized"
    explanation = Explanation(
        happened="The enrichment service refused the API key.",
        money="Nothing was charged.",
        for_person="Check ENRICHMENT_API_KEY and ENRICHMENT_API_URL; `mcp-enrichment doctor` shows "
        "where the key comes from.",
        for_assistant="Ask the user to check ENRICHMENT_API_KEY and ENRICHMENT_API_URL; do not "
        "retry before that.",
    )


class InsufficientCredits(PermanentError):
    code = "insufficient_credits"
    explanation = Explanation(
        happened="The account has no free credit: all are spent, or held by lookups that still "
        "run.",
        money=NOTHING_DONE,
        for_person="Add credits (to the embedded service by `mcp-enrichment credits grant N`), "
        "then try again.",
        for_assistant="Tell the user that credits must be added (to the embedded service by "
        "`mcp-enrichment credits grant N`); do not retry before that.",
    )


class BudgetExceeded(PermanentError):
    code = "budget_exceeded"
    explanation = Explanation(
        happened="The budget that is set does not allow this request.",
        money=NOTHING_SENT,
        for_person="Try again tomorrow, or raise the budget.",
        for_assistant="Tell the user; do not retry today unless the budget is raised.",
    )


class CreditCapReached(BudgetExceeded):
    explanation = Explanation(
        happened="The list may cost no more credits than its `max_credits`, and they are spent or "
        "held by lookups that still run.",
        money=NOTHING_SENT,
        for_person="Raise `max_credits` (`--max-credits` at a terminal) to look up the rest.",
        for_assistant="Tell the user; call again for the rest with a higher max_credits only if "
        "the user agrees.",
    )


class NotConfirmed(BudgetExceeded):
    explanation = Explanation(
        happened="Nobody has agreed to spend a credit on this request.",
        money=NOTHING_SENT,
        for_person="Agree when you are asked, or set ENRICHMENT_CONFIRM to `never`.",
        for_assistant="Tell the user so, and do not request it again unless the user asks for it.",
    )


class UnknownEnrichment(PermanentError):
    code = "unknown_enrichment"
    explanation = Explanation(
        happened="The service knows no enrichment with this id.",
        money="Nothing was charged.",
        for_person="Check the id, and that it was requested with this key at this server.",
        for_assistant="Use an id exactly as request_email_enrichment returned it.",
    )

    def __init__(
        self,
        explanation: Explanation | None = None,
        *,
        enrichment_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        if enrichment_id:
            named = f"The service knows no enrichment with the id {enrichment_id}."
            explanation = replace(explanation or self.explanation, happened=named)
        super().__init__(explanation, retry_after=retry_after)
        self.enrichment_id = enrichment_id
        """The unknown id, if a call has several."""


class OutcomeUnknown(PermanentError):
    code = "outcome_unknown"
    charged = None
    explanation = Explanation(
        happened="No usable answer came after the request was sent, so it is not known whether a "
        "lookup was started.",
        money="One credit may have been charged.",
        for_person="Look at what the service has charged before you ask again: "
        "`mcp-enrichment enrich URL --refresh` asks again, and may be paid for twice.",
        for_assistant="Do not request it again: tell the user. If its id becomes known, as from "
        "its callback, call get_enrichment with it: that settles it. Only if the user agrees to "
        "pay twice, call again with force_refresh=true.",
    )


class InternalError(PermanentError):
    code = "internal_error"
    body_code = "service_not_opened"  # in this process, before it has got the request
    explanation = Explanation(
        happened="The enrichment service failed by a defect of its own.",
        money="Nothing was charged by this call.",
        for_person="Report it; the log of the service says where it failed.",
        for_assistant="Do not call again with the same arguments: tell the user, and that the log "
        "of the service says where it failed.",
    )


class BadAnswer(PermanentError):
    code = "bad_answer"
    explanation = Explanation(
        happened="The service answered with something outside its contract, so no address may be "
        "assumed.",
        money="Nothing was charged by this call.",
        for_person="Check that ENRICHMENT_API_URL is the root of an enrichment service; if it is, "
        "report this to its operator.",
        for_assistant="Tell the user that the service misbehaves.",
    )


class UnusableAddress(BadAnswer):
    charged = None
    explanation = Explanation(
        happened="The service ended the lookup with an invalid address, so no address may be "
        "assumed.",
        money="One credit may have been charged.",
        for_person="Report this to the operator of the service; asking again cannot help.",
        for_assistant="Do not request it again: tell the user that the service misbehaves.",
    )


class RateLimited(TransientError):
    code = "rate_limited"
    explanation = Explanation(
        happened="The service asks to slow down.",
        money="Nothing was charged.",
        for_person="Try again after a pause.",
        for_assistant="Call again after a pause, with the same arguments.",
    )


class ServiceUnavailable(TransientError):
    code = "service_unavailable"
    explanation = Explanation(
        happened="The enrichment service cannot be reached at the moment.",
        money="Nothing was charged by this call, and lookups already running go on.",
        for_person="Try again in a minute; `mcp-enrichment doctor` looks for the cause.",
        for_assistant="Call again in a minute with the same arguments.",
    )


class DeadlineExceeded(ServiceUnavailable):
    """A call that spends reached its deadline while its POST may be under way."""

    charged = None
    explanation = Explanation(
        happened="The enrichment service did not answer in time, so it is not known whether a "
        "lookup was started.",
        money="One credit may have been charged.",
        for_person="Try again in a minute: a request that is under way is joined, not paid for "
        "twice.",
        for_assistant="Call again in a minute with the same arguments: a request that is under way "
        "is joined, not paid for twice.",
    )


class StorageFailed(ServiceUnavailable):
    """The transaction was rolled back. `done`: the effect of earlier ones on money."""

    def __init__(self, fault: StorageFault, *, done: str = NOTHING_DONE) -> None:
        super().__init__(replace(fault.explanation, money=done))
        self.fault = fault
        self.retryable = fault in TRANSIENT


class CommitUnknown(StorageFailed):
    """The outcome of the transaction is unknown: the response to its COMMIT was lost."""

    code = "outcome_unknown"
    charged = None
    retryable = False
    explanation = Explanation(
        happened="The database failed while a change was being saved, so it is not known whether "
        "it is.",
        money="One credit may have been charged.",
        for_person="Look at what is stored before doing it again.",
        for_assistant="Do not request it again: tell the user.",
    )

    def __init__(
        self,
        fault: StorageFault = StorageFault.UNREACHABLE,
        *,
        retry_after: float | None = None,
    ) -> None:
        ServiceUnavailable.__init__(self, self.explanation, retry_after=retry_after)
        self.fault = fault


class CommandError(Exception):
    """A command cannot do its work. The message has the cause and the remedy, for a person."""
