"""The arguments of the tools: their models, the forms that are accepted, and their errors.

The published input schemas are made from these models.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, LiteralString

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from mcp_enrichment.contract.errors import InvalidArguments
from mcp_enrichment.contract.explanation import NOTHING_SENT, Explanation
from mcp_enrichment.contract.http import ENRICHMENT_ID
from mcp_enrichment.contract.models import MAX_EXTERNAL_ID, EmailType
from mcp_enrichment.mcp.schema import inlined_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

WAIT_CAP = 50
"""Seconds that a call may wait, at most: clients time out at 60."""
READ_CAP = 20
"""Seconds that a call without a wait may take, at most."""
MAX_IDS = 100
MOST_FAULTS = 5
"""Invalid arguments that one sentence names, at most."""
MOST_NAMES = 20
"""Unknown arguments that a result names, at most."""
_OWN_FAULT: LiteralString = "own_fault"
"""The kind of an error whose text is ours and repeats no value."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
"""The names that a result repeats: any other text may contain personal data."""
_BETWEEN_IDS = re.compile(r"[\s,;\[\]()\"'\u200b\ufeff]+")
"""The separators of ids: none of them may be part of an id."""
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)


def arguments_object(given: Any) -> Any:
    """The arguments of a call as an object. Null, an empty text and an empty list mean none; some
    clients send JSON text."""
    given = _from_json(given)
    return {} if _is_nothing(given) or given == [] else given


def _from_json(given: Any) -> Any:
    """The value of a JSON text; any other value as it is."""
    try:
        return json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        return given


def _is_nothing(given: Any) -> bool:
    return given is None or (isinstance(given, str) and not given.strip())


# Each of these converts the forms in which clients and models write a value. A value that cannot be
# converted is returned as it is: the model then refuses it.


def word(given: Any) -> Any:
    """A word of an enumeration, in lower case."""
    return given.strip().lower() if isinstance(given, str) else given


def email_type(given: Any) -> Any:
    """An email type. The contract's responses write `work_email` for `work`."""
    return word(given).removesuffix("_email") if isinstance(given, str) else given


def _number(given: Any) -> Any:
    if isinstance(given, str) and _NUMBER.fullmatch(text := given.strip()):
        return float(text)
    return given


def _reference(given: Any) -> Any:
    return str(given) if type(given) is int else given


def _references(given: Any) -> Any:
    given = _from_json(given)
    if not isinstance(given, list):
        return given
    return [None if _is_nothing(one) else _reference(one) for one in given]


def _texts(given: Any) -> Any:
    """The texts in a list, or in one text with any separators."""
    read = _from_json(given)
    return list(filter(None, _BETWEEN_IDS.split(read))) if isinstance(read, str) else read


def _ids(given: Any) -> list[Any]:
    """The ids in nested lists, in text with any separators, or in enrichments."""
    return list(_each_id(given))


def _one_id(given: Any) -> Any:
    each = _ids(given)
    return each[0] if len(each) == 1 else given


def _each_id(given: Any) -> Iterator[Any]:
    left = [given]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left.extend(reversed(one))
        elif isinstance(one, dict) and "id" in one:
            left.append(one["id"])
        elif isinstance(one, str):
            yield from filter(None, _BETWEEN_IDS.split(one))
        elif one is not None:
            yield one


Id = Annotated[str, Field(pattern=ENRICHMENT_ID)]
Seconds = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""Strict: `true` is not a number."""


class Arguments(BaseModel):
    """The base of all arguments. Null and blank texts count as missing, and unknown arguments are
    ignored: clients add both."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nothings(cls, data: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in data.items() if not _is_nothing(value)}

    @property
    def cap(self) -> float:
        """Seconds that the call may take, at most."""
        return READ_CAP


class RequestArguments(Arguments):
    linkedin_url: Annotated[
        str,
        Field(
            description="LinkedIn profile URL of the person: https://www.linkedin.com/in/<username>"
        ),
    ]
    type: Annotated[
        EmailType,
        Field(description="Which email."),
        BeforeValidator(email_type),
    ]
    callback_url: Annotated[
        Annotated[str, StringConstraints(strip_whitespace=True)] | None,
        Field(description="Public https URL for a callback at the end."),
    ] = None
    external_id: Annotated[
        str | None,
        Field(
            max_length=MAX_EXTERNAL_ID,
            description=f"Your reference, echoed. At most {MAX_EXTERNAL_ID} characters.",
        ),
        BeforeValidator(_reference),
    ] = None
    wait_seconds: Annotated[
        Seconds,
        Field(
            ge=0,
            le=WAIT_CAP,
            description=f"0 to {WAIT_CAP}. Default 10.",
        ),
        BeforeValidator(_number),
    ] = 10
    force_refresh: Annotated[
        bool,
        Field(description="Look up anew. May cost a credit. Default false."),
        BeforeValidator(word),
    ] = False

    @property
    def cap(self) -> float:
        return WAIT_CAP


class GetArguments(Arguments):
    id: Annotated[Id, Field(description="As returned by the request."), BeforeValidator(_one_id)]


class WaitArguments(Arguments):
    ids: Annotated[
        list[Id],
        Field(
            min_length=1,
            max_length=MAX_IDS,
            description=f"As returned by the requests. At most {MAX_IDS}.",
        ),
        BeforeValidator(_ids),
    ]
    timeout_seconds: Annotated[
        Seconds,
        Field(ge=1, le=WAIT_CAP, description=f"Seconds to wait, 1 to {WAIT_CAP}. Default 45."),
        BeforeValidator(_number),
    ] = 45

    @property
    def cap(self) -> float:
        return self.timeout_seconds


class ListArguments(Arguments):
    linkedin_urls: Annotated[
        list[str],
        Field(
            min_length=1,
            max_length=MAX_IDS,
            description=f"LinkedIn profile URLs: https://www.linkedin.com/in/<username>. "
            f"At most {MAX_IDS}.",
        ),
        BeforeValidator(_texts),
    ]
    type: Annotated[
        EmailType,
        Field(description="Which email."),
        BeforeValidator(email_type),
    ]
    preview: Annotated[
        bool,
        Field(description="Only count, free. Default false."),
        BeforeValidator(word),
    ] = False
    max_credits: Annotated[
        int | None,
        Field(ge=0, description="The most that it may cost."),
        BeforeValidator(_number),
    ] = None
    wait_seconds: Annotated[
        Seconds,
        Field(ge=0, le=WAIT_CAP, description=f"0 to {WAIT_CAP}. Default 45."),
        BeforeValidator(_number),
    ] = 45
    external_ids: Annotated[
        list[Annotated[str | None, Field(max_length=MAX_EXTERNAL_ID)]] | None,
        Field(
            min_length=1,
            max_length=MAX_IDS,
            description="Your references, one for each profile.",
        ),
        BeforeValidator(_references),
    ] = None

    @field_validator("external_ids")
    @classmethod
    def _one_for_each(
        cls, references: list[str | None] | None, info: ValidationInfo
    ) -> list[str | None] | None:
        urls = info.data.get("linkedin_urls")
        if references and urls and len(references) != len(urls):
            raise PydanticCustomError(
                _OWN_FAULT, "give one for each of linkedin_urls, or leave it out"
            )
        return references

    @property
    def cap(self) -> float:
        return WAIT_CAP


class CreditsArguments(Arguments):
    pass


def parse(model: type[Arguments], given: dict[str, Any]) -> Arguments:
    """Validate the arguments. Raises `InvalidArguments`, whose text repeats no value."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise InvalidArguments(_problem_of(error, model)) from None


def ignored_names(model: type[Arguments], given: dict[str, Any]) -> list[str]:
    """The names of unknown arguments. Some clients add such arguments.

    Ignoring one costs nothing: the default of each optional argument is the cheaper choice.
    """
    unknown = (name for name in given if name not in model.model_fields)
    return [name for name in unknown if _NAME.fullmatch(name)][:MOST_NAMES]


def _problem_of(error: ValidationError, model: type[Arguments]) -> Explanation:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    said = "; ".join(_fault(fault, model) for fault in faults[:MOST_FAULTS])
    takes = ", ".join(model.model_fields) or "no arguments"
    return Explanation(
        happened=f"{said}.",
        money=NOTHING_SENT,
        for_person="Correct it and try again.",
        for_assistant=f"Correct it and call again. This tool takes: {takes}.",
    )


def _fault(fault: ErrorDetails, model: type[Arguments]) -> str:
    where, kind = fault["loc"], fault["type"]
    if kind == _OWN_FAULT:
        return f"{where[0]}: {fault['msg']}"
    schema = _schema(model)["properties"][where[0]]
    wanted = _wanted(schema["items"] if len(where) > 1 else schema)
    name = ".".join(map(str, where))
    if kind == "missing":
        return f"{name} is missing: give {wanted}"
    is_required = model.model_fields[str(where[0])].is_required()
    return f"{name}: give {wanted}{'' if is_required else ', or leave it out'}"


def _wanted(schema: dict[str, Any]) -> str:
    match schema:
        case {"enum": values}:
            wanted = " or ".join(f"'{value}'" for value in values)
        case {"type": "boolean"}:
            wanted = "true or false"
        case {"type": "number", "minimum": least, "maximum": most}:
            wanted = f"a number from {least:g} to {most:g}"
        case {"type": "integer", "minimum": least}:
            wanted = f"a whole number of at least {least}"
        case {"type": "array", "minItems": fewest, "maxItems": most, "items": items}:
            wanted = f"a list of {fewest} to {most} {'ids' if 'pattern' in items else 'texts'}"
        case {"pattern": _}:
            wanted = "one id, as a tool returned it"
        case {"maxLength": longest}:
            wanted = f"a text of at most {longest} characters"
        case _:
            wanted = "a text"
    return wanted


@cache
def _schema(model: type[Arguments]) -> dict[str, Any]:
    return inlined_schema(model, "validation", nulls=False)
