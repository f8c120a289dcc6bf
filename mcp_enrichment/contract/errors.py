"""Everything that can go wrong between a question and its answer.

EnrichmentError
├── Permanent                  asking the same again cannot help
│   ├── InvalidArguments       invalid_arguments
│   │   ├── CallbackRefused
│   │   └── IdempotencyConflict
│   ├── InvalidProfileURL      invalid_profile_url
│   ├── Unauthorized           unauthorized
│   ├── InsufficientCredits    insufficient_credits
│   ├── BudgetExceeded         budget_exceeded
│   │   └── NotConfirmed
│   ├── UnknownEnrichment      unknown_enrichment
│   ├── OutcomeUnknown         outcome_unknown      (it may have cost a credit)
│   ├── InternalError          internal_error
│   └── BadAnswer              bad_answer
│       └── UnusableAddress                         (it may have cost a credit)
└── Passing                    the same call may succeed later
    ├── RateLimited            rate_limited
    └── ServiceUnavailable     service_unavailable
        └── StorageFailed      service_unavailable  (the service's own database, with what to do)
            └── CommitUnknown  outcome_unknown      (it may have cost a credit)

Each class's sentence says what happened, whether money moved and what to do. A sentence never holds
text from outside: no body of an answer, no key, no address.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class EnrichmentError(Exception):
    """The root: carries what a program needs (`code`, `retryable`, …) beside the sentence."""

    code: ClassVar[str]
    retryable: bool
    """Whether the same call may succeed later, by itself."""
    wire_code: ClassVar[str | None] = None
    """What an error body of our service calls it, where that tells more than `code`."""
    charged: ClassVar[bool | None] = False
    """False: no credit moved. None: it cannot be known."""
    sentence: ClassVar[str]

    def __init__(self, sentence: str | None = None, *, retry_after: float | None = None) -> None:
        super().__init__(sentence or self.sentence)
        self.retry_after = retry_after
        """Seconds that the other side asked to wait, where it did."""


class Permanent(EnrichmentError):
    """Asking the same again cannot help."""

    retryable = False


class Passing(EnrichmentError):
    """The same call may succeed later."""

    retryable = True


class InvalidArguments(Permanent):
    code = "invalid_arguments"
    sentence = "The arguments were refused. Nothing was started and nothing charged. Correct them."


class InvalidProfileURL(Permanent):
    code = "invalid_profile_url"
    sentence = (
        "That is not the URL of a person's LinkedIn profile. Nothing was sent and nothing charged. "
        "Pass a URL of the form https://www.linkedin.com/in/<username>."
    )


class CallbackRefused(InvalidArguments):
    wire_code = "invalid_callback_url"
    sentence = (
        "The callback_url was refused: it must be an http or https URL of a public host, without a "
        "user name, on a port that is allowed (80 and 443 unless set otherwise). Nothing was "
        "started and nothing charged. Correct it, or leave it out and use wait_for_enrichment."
    )


class IdempotencyConflict(InvalidArguments):
    wire_code = "idempotency_conflict"
    sentence = (
        "This Idempotency-Key was used before with another body. Nothing was started and nothing "
        "charged. Send the first body again, or a new key."
    )


class Unauthorized(Permanent):
    code = "unauthorized"
    sentence = (
        "The enrichment service refused the API key. Nothing was charged. "
        "Ask the user to check ENRICHMENT_API_KEY and ENRICHMENT_API_URL; do not retry before that."
    )


class InsufficientCredits(Permanent):
    code = "insufficient_credits"
    sentence = (
        "The account has no free credit: all are spent, or held by lookups that still run. "
        "Nothing was started and nothing charged. "
        "Tell the user that credits must be added (to the embedded service by `mcp-enrichment "
        "credits grant N`); do not retry before that."
    )


class BudgetExceeded(Permanent):
    code = "budget_exceeded"
    sentence = (
        "The user's own budget does not allow this request. Nothing was sent and nothing charged. "
        "Tell the user; do not retry today unless the budget is raised."
    )


class NotConfirmed(BudgetExceeded):
    sentence = (
        "The user has not agreed to spend a credit on this request. Nothing was sent and nothing "
        "charged. Do not request it again unless the user asks for it."
    )


class UnknownEnrichment(Permanent):
    code = "unknown_enrichment"
    sentence = (
        "The service knows no enrichment with this id. Nothing was charged. "
        "Use an id exactly as request_email_enrichment returned it."
    )

    def __init__(
        self,
        sentence: str | None = None,
        *,
        enrichment_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        named = f" ({enrichment_id})" if enrichment_id else ""
        super().__init__(f"{sentence or self.sentence}{named}", retry_after=retry_after)
        self.enrichment_id = enrichment_id
        """Which one is meant, where several were asked for."""


class OutcomeUnknown(Permanent):
    code = "outcome_unknown"
    charged = None
    sentence = (
        "No usable answer came after the request was sent, so it is not known whether a lookup was "
        "started; one credit may have been charged. Do not request it again: tell the user. If its "
        "id becomes known, as from its callback, call get_enrichment with it: that settles it. "
        "Only if the user agrees to pay twice, call again with force_refresh=true."
    )


class InternalError(Permanent):
    code = "internal_error"
    wire_code = "service_not_opened"  # in this process: it has not even seen the request
    sentence = (
        "The enrichment service failed by a defect of its own. Nothing was charged by this call. "
        "Do not call again with the same arguments: tell the user, and that its log says where."
    )


class BadAnswer(Permanent):
    code = "bad_answer"
    sentence = (
        "The service answered with something outside its contract. Nothing was charged by "
        "this call, and no address may be assumed. Tell the user that the service misbehaves."
    )


class UnusableAddress(BadAnswer):
    charged = None
    sentence = (
        "The service ended the lookup with an invalid address; one credit may have been charged. "
        "No address may be assumed. Do not request it again: tell the user that the service "
        "misbehaves."
    )


class RateLimited(Passing):
    code = "rate_limited"
    sentence = (
        "The service asks to slow down. Nothing was charged. "
        "Call again after the stated number of seconds."
    )


class ServiceUnavailable(Passing):
    code = "service_unavailable"
    sentence = (
        "The enrichment service cannot be reached at the moment. Nothing was charged by this call, "
        "and lookups already running go on. Call again in a minute with the same arguments."
    )


class StorageFault(StrEnum):
    """What is wrong with the database of a service of ours, as its error bodies tell it."""

    FULL = "storage_full"
    """The disk is full or fails."""
    NOT_WRITABLE = "storage_not_writable"
    """The folder or the file cannot be opened or written."""
    NOT_A_DATABASE = "storage_not_a_database"
    """The file is damaged or no database, or the database is another program's."""
    NEWER_SCHEMA = "storage_newer_schema"
    """A newer version of the program has written the database."""
    OLDER_SCHEMA = "storage_older_schema"
    """The database was not upgraded to this version of the program."""
    OTHER_KEY = "storage_other_key"
    """Its suppression list was made with another key, and cannot be obeyed."""
    BUSY = "storage_busy"
    """Other processes kept it locked for too long."""
    UNREACHABLE = "storage_unreachable"
    """The database server does not answer."""
    NOT_FOUND = "storage_not_found"
    """No database was opened where its URL leads."""
    NOT_PERMITTED = "storage_not_permitted"
    """The database server lets nothing be written, or not by this user."""
    NO_DRIVER = "storage_no_driver"
    """This installation lacks what Postgres needs."""
    BAD_URL = "storage_bad_url"
    """The URL of the database server is none that Postgres understands."""
    DAMAGED_SECRET = "storage_damaged_secret"  # noqa: S105 (a code, and no secret)
    """A file that holds a secret is damaged."""


_NOTHING_DONE = "Nothing was started and nothing charged."

STORAGE_SENTENCES = {
    StorageFault.FULL: "The disk that holds the enrichment data is full or failing. "
    f"{_NOTHING_DONE} Tell the user to free space, then call again.",
    StorageFault.NOT_WRITABLE: "The folder of the enrichment data or of its memory cannot be "
    f"written. {_NOTHING_DONE} Tell the user to make it writable, or to set ENRICHMENT_DATA_DIR "
    "and ENRICHMENT_STATE_DIR to folders that are.",
    StorageFault.NOT_A_DATABASE: "The enrichment database is damaged, or another program's. "
    f"{_NOTHING_DONE} Tell the user to move enrichment.db out of the data folder or to restore it; "
    "on Postgres, to name a database of its own in ENRICHMENT_DATABASE_URL.",
    StorageFault.NEWER_SCHEMA: "A newer version of mcp-enrichment has written the database. "
    f"{_NOTHING_DONE} Tell the user to upgrade this installation.",
    StorageFault.OLDER_SCHEMA: "The database is not at the version of this mcp-enrichment. "
    f"{_NOTHING_DONE} Tell the user to run `mcp-enrichment migrate` where the service runs.",
    StorageFault.OTHER_KEY: "The suppression list in the database was made with another key, so it "
    f"cannot be applied. {_NOTHING_DONE} Tell the user to restore privacy.key in the data folder, "
    "or to set ENRICHMENT_PRIVACY_KEY as it was.",
    StorageFault.BUSY: "Other processes keep the enrichment database locked. "
    f"{_NOTHING_DONE} Call again in a minute.",
    StorageFault.UNREACHABLE: "The service cannot reach its database. "
    f"{_NOTHING_DONE} Call again in a minute.",
    StorageFault.NOT_FOUND: "ENRICHMENT_DATABASE_URL leads to no database that can be opened. "
    f"{_NOTHING_DONE} Tell the user to check its host, port, user, password and database name; if "
    "they are right, the server may just be starting: call again in a minute.",
    StorageFault.NOT_PERMITTED: "The user in ENRICHMENT_DATABASE_URL may not do this in the "
    f"database, or the server is a standby. {_NOTHING_DONE} Tell the user to make that user the "
    "database's owner, or to name the primary server.",
    StorageFault.NO_DRIVER: "ENRICHMENT_DATABASE_URL names a Postgres, and no driver for it is "
    f"installed. {_NOTHING_DONE} Tell the user to install mcp-enrichment[postgres].",
    StorageFault.BAD_URL: "ENRICHMENT_DATABASE_URL is not a URL that Postgres understands. "
    f"{_NOTHING_DONE} Tell the user to correct it: postgresql://user:password@host/database, with "
    "% and @ in a password written as %25 and %40.",
    StorageFault.DAMAGED_SECRET: "A file that holds a secret is damaged: http.secret in the state "
    f"folder, or privacy.key in the data folder. {_NOTHING_DONE} Tell the user to restore it from "
    "a backup.",
}


_PASSING = {StorageFault.BUSY, StorageFault.UNREACHABLE, StorageFault.NOT_FOUND}


class StorageFailed(ServiceUnavailable):
    """The transaction did not happen, as a whole; `done` tells of earlier ones that did."""

    def __init__(self, fault: StorageFault, *, done: str = _NOTHING_DONE) -> None:
        super().__init__(STORAGE_SENTENCES[fault].replace(_NOTHING_DONE, done))
        self.fault = fault
        self.retryable = fault in _PASSING


class CommitUnknown(StorageFailed):
    """Whether the transaction happened is not known: the answer to its COMMIT was lost."""

    code = "outcome_unknown"
    charged = None
    retryable = False
    sentence = (
        "The database failed while a change was being saved, so it is not known whether it is; one "
        "credit may have been charged. Look at what is stored before doing it again."
    )

    def __init__(self, *, retry_after: float | None = None) -> None:
        ServiceUnavailable.__init__(self, self.sentence, retry_after=retry_after)
        self.fault = StorageFault.UNREACHABLE
