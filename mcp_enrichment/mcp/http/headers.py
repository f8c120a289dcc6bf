"""A request's headers as the SDK reads them: it compares media types letter by letter, and looks at
the first line of each header alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

if TYPE_CHECKING:
    from starlette.types import Scope

ANYTHING = "*/*"


def normalize_headers(scope: Scope) -> Scope:
    """The same request with one `Accept`, and a content type in lower case.

    Several lines of a header are one list (RFC 9110, 5.3), media types know no case (8.3.1), and
    without `Accept` any type will do (12.5.1).
    """
    given = Headers(scope=scope)
    plain = MutableHeaders(raw=[pair for pair in given.raw if pair[0] != b"accept"])
    plain["accept"] = ", ".join(given.getlist("accept")) or ANYTHING
    if "content-type" in plain:
        plain["content-type"] = _type_in_lower_case(plain["content-type"])
    return {**scope, "headers": plain.raw}


def accepts_events(scope: Scope) -> bool:
    """Whether the client takes a stream of events, by the rules of the SDK."""
    accepted = Headers(scope=scope)["accept"].split(",")
    types = {one.partition(";")[0].strip().lower() for one in accepted}
    return bool(types & {"text/event-stream", "text/*", ANYTHING})


def _type_in_lower_case(content_type: str) -> str:
    media_type, *parameters = content_type.split(";")
    return ";".join([media_type.strip().lower(), *parameters])
