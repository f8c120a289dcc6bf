"""Answers of a client that the SDK cannot read, and would pass over."""

from __future__ import annotations

import json
from contextlib import suppress

from mcp.types import INVALID_REQUEST, ErrorData, JSONRPCError


def unreadable_answer(text: str) -> JSONRPCError | None:
    """An error in place of an answer that is none, such as `"result": null`: what was asked then
    ends at once, and not after its time-out. None where the text is no answer with an id."""
    said = None
    with suppress(ValueError, RecursionError):
        said = json.loads(text)
    if not isinstance(said, dict) or "method" in said or said.keys().isdisjoint(_ANSWERS):
        return None
    its_id = said.get("id")
    if isinstance(its_id, bool) or not isinstance(its_id, int | str):
        return None
    error = ErrorData(code=INVALID_REQUEST, message="The answer cannot be read.")
    return JSONRPCError(jsonrpc="2.0", id=its_id, error=error)


_ANSWERS = {"result", "error"}
