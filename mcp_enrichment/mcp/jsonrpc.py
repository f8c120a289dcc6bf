"""Parses one JSON-RPC message of a client.

Known mistakes of clients are corrected: a byte order mark, a lone surrogate, `params: []` for no
parameters, an integer id written as 3.0. For any other mistake the client gets an error with the id
of its request, if the id can be read: without it, the client would wait until its time-out
(JSON-RPC 2.0, sections 4 and 5).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeGuard

from mcp.types import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError
from pydantic_core import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mcp.types import JSONRPCMessage, RequestId


NO_JSON = "The message is not JSON, or is nested too deeply."
NO_REQUEST = 'A message must be an object with "jsonrpc": "2.0" and a method.'
NO_ID = "The id must be a text or an integer."
NO_BATCHES = "Batches are not taken: send one message at a time."
NO_PARAMS = "The params must be an object."
NO_RESPONSE = "The answer is malformed."

_BOM = "\ufeff"
_ESCAPES = re.compile(
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
"""An escaped backslash, a surrogate pair, and a lone surrogate."""
_HALF = len("\\ud800")


class InvalidMessage(Exception):
    """Not a valid message. The sentence contains none of its text."""

    def __init__(self, code: int, sentence: str, ids: Iterable[RequestId] = ()) -> None:
        super().__init__(sentence)
        self.code = code
        self.ids: list[RequestId | None] = list(ids) or [None]
        """The ids for the error responses; None if no id can be read."""

    def responses(self) -> list[JSONRPCError]:
        """One error response for each id."""
        error = ErrorData(code=self.code, message=str(self))
        return [JSONRPCError(jsonrpc="2.0", id=one, error=error) for one in self.ids]


def parse_message(data: bytes) -> tuple[JSONRPCMessage | None, bytes]:
    """The message, and its JSON as the SDK accepts it. None for a malformed notification, which
    must get no response.

    Raises `InvalidMessage`.
    """
    text = data.decode("utf-8", errors="replace").removeprefix(_BOM)
    try:
        message = jsonrpc_message_adapter.validate_json(text, by_name=False)
    except ValidationError:
        message = None
    if isinstance(message, JSONRPCRequest):
        return message, text.encode()
    # The SDK's models accept a request with an invalid id as a notification: check the rest here.
    value = _parsed(_ESCAPES.sub(_replace_lone_surrogate, text).encode())
    if isinstance(value, list):
        raise InvalidMessage(INVALID_REQUEST, NO_BATCHES, _ids_of_requests(value))
    if not isinstance(value, dict):
        raise InvalidMessage(INVALID_REQUEST, NO_REQUEST)
    return _message_of(value), to_json(value, inf_nan_mode="constants")


def _parsed(data: bytes) -> Any:
    try:
        return from_json(data)
    except ValueError as error:
        raise InvalidMessage(PARSE_ERROR, NO_JSON, ids_in(data, error)) from None


def _replace_lone_surrogate(escape: re.Match[str]) -> str:
    return r"\ufffd" if len(escape[0]) == _HALF else escape[0]


def _message_of(value: dict[str, Any]) -> JSONRPCMessage | None:
    if "method" not in value and ("result" in value or "error" in value):
        return _response(value)
    if value.get("params") == []:
        value["params"] = {}
    if "id" in value or not isinstance(value.get("method"), str):
        return _request(value)
    return _notification(value)


def _request(value: dict[str, Any]) -> JSONRPCRequest:
    its_id = value.get("id")
    if isinstance(its_id, float) and its_id.is_integer():
        its_id = value["id"] = int(its_id)
    known = [its_id] if is_id(its_id) else []
    if value.get("jsonrpc") != "2.0" or not isinstance(value.get("method"), str):
        raise InvalidMessage(INVALID_REQUEST, NO_REQUEST, known)
    if not known:
        raise InvalidMessage(INVALID_REQUEST, NO_ID)
    if not isinstance(value.get("params"), dict | None):
        raise InvalidMessage(INVALID_PARAMS, NO_PARAMS, known)
    return JSONRPCRequest.model_validate(value)


def _notification(value: dict[str, Any]) -> JSONRPCNotification | None:
    try:
        return JSONRPCNotification.model_validate(value)
    except ValidationError:
        return None


def _response(value: dict[str, Any]) -> JSONRPCMessage | None:
    """The client's response to a request of the server. A malformed one becomes an error, so that
    the wait for it ends."""
    try:
        return jsonrpc_message_adapter.validate_python(value, by_name=False)
    except ValidationError:
        if not is_id(its_id := value.get("id")):
            return None
        error = ErrorData(code=INVALID_REQUEST, message=NO_RESPONSE)
        return JSONRPCError(jsonrpc="2.0", id=its_id, error=error)


def _ids_of_requests(batch: list[Any]) -> list[RequestId]:
    requests = (one for one in batch if isinstance(one, dict) and "method" in one)
    return [one["id"] for one in requests if is_id(one.get("id"))]


HEAD = 64 * 1024
"""Bytes at the start of a message in which its id is searched."""
MAX_MESSAGES_ON_A_LINE = 100
"""Messages on one line whose ids are read, at most."""
TRIES = 3
"""The most times that an invalid end is cut off."""
_PLACE = re.compile(r"at line (\d+) column (\d+)$")
_LAST = re.compile(rb'"id"\s*:\s*(-?\d{1,18}|"(?:[^"\\]|\\.){0,200}")\s*\}\s*\Z')
"""An id as the last member, where the TypeScript SDK puts it."""
_OF_A_NUMBER = b"0123456789+-.eE"
_TRAILING = "trailing characters"


def is_id(value: Any) -> TypeGuard[RequestId]:
    """Whether it is a valid id of MCP: a text or an integer."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def ids_in(data: bytes, error: ValueError) -> list[RequestId]:
    """The ids in a text that the parser has refused with this error: of one invalid message, or of
    several messages on one line."""
    found = list(_of_whole_messages(data, error))
    return found or id_at_the_ends(data[: _place(data, error)], data)


def id_at_the_ends(head: bytes, whole: bytes) -> list[RequestId]:
    """The id near the start of a message, or else at its end."""
    for known in (_in_beginning(head[:HEAD]), _at_end(whole[-HEAD:])):
        if is_id(known):
            return [known]
    return []


def _of_whole_messages(data: bytes, error: ValueError) -> Iterator[RequestId]:
    for _ in range(MAX_MESSAGES_ON_A_LINE):
        if not str(error).startswith(_TRAILING):
            return
        place = _place(data, error)
        yield from _id_of(from_json(data[:place]))
        data = data[place:]
        try:
            value = from_json(data)
        except ValueError as next_error:
            error = next_error
        else:
            yield from _id_of(value)
            return


def _id_of(value: Any) -> Iterator[RequestId]:
    if isinstance(value, dict) and is_id(known := value.get("id")):
        yield known


def _in_beginning(head: bytes) -> Any:
    for _ in range(TRIES):
        try:
            # The number at the cut may have had more digits.
            value = from_json(head.rstrip(_OF_A_NUMBER), allow_partial=True)
        except ValueError as error:  # too deep or invalid: read the part before it
            head = head[: _place(head, error)]
            head = head[: max(head.rfind(b","), 0)]
        else:
            return value.get("id") if isinstance(value, dict) else None
    return None


def _at_end(tail: bytes) -> Any:
    found = _LAST.search(tail)
    try:
        return from_json(found[1]) if found else None
    except ValueError:
        return None


def _place(data: bytes, error: ValueError) -> int:
    """The offset at which the parser has stopped, in bytes."""
    found = _PLACE.search(str(error))
    if not found:
        return 0
    line, column = int(found[1]), int(found[2])
    before = data.split(b"\n", line - 1)[: line - 1]
    return sum(len(one) + 1 for one in before) + max(column - 1, 0)
