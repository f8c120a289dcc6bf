"""The arguments and outputs of the tools. The published schemas are made from these models."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from mcp_enrichment.contract.http import ENRICHMENT_ID
from mcp_enrichment.contract.models import MAX_EXTERNAL_ID, EmailType, Status, Verification
from mcp_enrichment.mcp import coercion

WAIT_CAP = 50
"""Seconds that a call may wait, at most: clients time out at 60."""
READ_CAP = 20
"""Seconds that a call without a wait may take, at most."""
MAX_IDS = 100

Id = Annotated[str, Field(pattern=ENRICHMENT_ID)]
Seconds = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""Strict: `true` is not a number."""


class Arguments(BaseModel):
    """The base of all arguments. Null and blank texts count as missing, and unknown arguments are
    ignored: clients add both."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _given(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if not coercion.is_nothing(value)}

    @property
    def cap(self) -> float:
        """Seconds that the call may take, at most."""
        return READ_CAP


class RequestArguments(Arguments):
    linkedin_url: Annotated[
        str, Field(description="The person's profile: https://www.linkedin.com/in/<username>")
    ]
    type: Annotated[
        EmailType,
        Field(description="Which address is wanted."),
        BeforeValidator(coercion.email_type),
    ]
    callback_url: Annotated[
        str | None,
        Field(description="Public https URL that a new request's end is POSTed to."),
        BeforeValidator(coercion.trimmed),
    ] = None
    external_id: Annotated[
        str | None,
        Field(
            max_length=MAX_EXTERNAL_ID,
            description=f"Your own reference, echoed. At most {MAX_EXTERNAL_ID} characters.",
        ),
        BeforeValidator(coercion.reference),
    ] = None
    wait_seconds: Annotated[
        Seconds,
        Field(
            ge=0,
            le=WAIT_CAP,
            description=f"Seconds to wait for the final answer, 0 to {WAIT_CAP}. Default 10.",
        ),
        BeforeValidator(coercion.number),
    ] = 10
    force_refresh: Annotated[
        bool,
        Field(
            description="Look up anew what was answered before. May cost a credit. Default false."
        ),
        BeforeValidator(coercion.word),
    ] = False

    @property
    def cap(self) -> float:
        return WAIT_CAP


class GetArguments(Arguments):
    id: Annotated[
        Id, Field(description="As returned by the request."), BeforeValidator(coercion.one_id)
    ]


class WaitArguments(Arguments):
    ids: Annotated[
        list[Id],
        Field(
            min_length=1,
            max_length=MAX_IDS,
            description=f"As returned by the requests. At most {MAX_IDS}.",
        ),
        BeforeValidator(coercion.ids),
    ]
    timeout_seconds: Annotated[
        Seconds,
        Field(ge=1, le=WAIT_CAP, description=f"Seconds to wait, 1 to {WAIT_CAP}. Default 45."),
        BeforeValidator(coercion.number),
    ] = 45

    @property
    def cap(self) -> float:
        return self.timeout_seconds


class CreditsArguments(Arguments):
    pass


class EnrichmentOutput(BaseModel):
    id: str
    status: Status
    is_final: Annotated[bool, Field(description="False: the answer is still to come.")]
    email: Annotated[str | None, Field(description="Null: no address may be assumed.")]
    type: EmailType | None
    linkedin_url: str | None
    external_id: str | None
    reused: Annotated[bool, Field(description="An earlier request, not paid for again.")]
    asked_at: datetime | None
    credits_charged: Annotated[
        Literal[0, 1] | None, Field(description="Null: not known, or not yet.")
    ]
    source: Annotated[str | None, Field(description="Who has the address.")]
    verification: Verification | None
    checked_at: datetime | None
    evidence: Annotated[str | None, Field(description="What it was inferred from.")]
    next_step: Annotated[str | None, Field(description="What to do now.")]


class WaitOutput(BaseModel):
    enrichments: list[EnrichmentOutput]
    all_final: bool
    waited_seconds: float
    timeout_applied: Annotated[bool, Field(description="The time ran out before all were final.")]
    next_step: str | None
    table: Annotated[
        dict[str, Any] | None,
        Field(
            description="Of a list_id: as request_email_enrichments returns it.",
            exclude_if=lambda value: value is None,
        ),
    ] = None


class CreditsOutput(BaseModel):
    balance: Annotated[int, Field(description="Credits; one pays for one address found.")]
    spent_today: Annotated[int, Field(description="Since midnight UTC; running lookups count.")]
    budget_left: Annotated[
        int | None, Field(description="What the user's budget leaves. Null: none is set.")
    ]
    next_step: str | None
