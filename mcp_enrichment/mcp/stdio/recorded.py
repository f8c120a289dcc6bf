"""The server's answers to a client's first requests, recorded from the SDK.

`initialize`, `server/discover` and `tools/list` always have the same answers. Recorded answers can
be sent before the SDK is imported. The import takes nearly all of the start-up time. A request is
answered here only if the SDK certainly accepts it. `tasks.py docs` writes the record; a test
compares it with the answers of the SDK. This module imports nothing that is slow.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from mcp_enrichment.mcp import apps

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = os.path.join(os.path.dirname(__file__), "recorded.json")  # pathlib is slow to import
HANDSHAKE, MODERN = "handshake", "2026-07-28"
"""The two eras of the protocol. The handshake is that of all versions before 2026-07-28."""
MAX_REQUEST = 16 * 1024
"""Bytes. A longer request is left to the SDK."""
MAX_BRACKETS = 100
"""Likewise. The SDK refuses JSON that is nested 200 deep."""
_META = "io.modelcontextprotocol/"
_CAPABILITIES = f"{_META}clientCapabilities"
_ENVELOPE = {f"{_META}protocolVersion", _CAPABILITIES}
_OPTIONAL = {f"{_META}clientInfo", "progressToken"}
_CLIENT_TEXTS = {"name", "version", "title", "description", "websiteUrl"}


class RecordedAnswers:
    """Answers one client. The first request decides the era, as it does for the SDK."""

    def __init__(self) -> None:
        with open(FILE, encoding="utf-8") as file:
            record = json.load(file)
        self._versions: list[str] = record["versions"]
        self._results: dict[str, dict[str, dict[str, Any]]] = record["results"]
        self._era: str | None = None
        self._has_app = False
        self.has_ended = False
        """Whether all further requests are left to the SDK."""

    def answer(self, line: bytes) -> tuple[dict[str, Any], bytes] | None:
        """The request and the line that answers it; None if it is left to the SDK."""
        message = None if self.has_ended else _parsed(line)
        if message is None:
            self.has_ended = True
            return None
        method, params = message["method"], message.get("params") or {}
        era = self._era or (HANDSHAKE if method == "initialize" else MODERN)
        result = self._result(era, method, params) if "id" in message else None
        if result is None:
            self.has_ended = self._era is None
            return None
        self._era = era
        response = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        text = json.dumps(response, ensure_ascii=False, separators=(",", ":"))
        return message, text.encode() + b"\n"

    def _result(self, era: str, method: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        result = self._results[era].get(method)
        if result is None:
            return None
        if method == "initialize":
            return self._greeting(result, params) if self._is_handshake(params) else None
        if not _is_served(era, params):
            return None
        if era == MODERN:
            self._has_app = _declares_app(params["_meta"][_CAPABILITIES])
        return _with_app(result) if self._has_app and "tools" in result else result

    def _greeting(self, result: dict[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
        self._has_app = _declares_app(params["capabilities"])
        return result | {"protocolVersion": params["protocolVersion"]}

    def _is_handshake(self, params: Mapping[str, Any]) -> bool:
        """Whether these are valid parameters of the handshake, in a version that is served."""
        return (
            params.keys() == {"protocolVersion", "capabilities", "clientInfo"}
            and params["protocolVersion"] in self._versions
            and _are_capabilities(params["capabilities"])
            and _is_client_info(params["clientInfo"])
        )


def _declares_app(capabilities: Mapping[str, Any]) -> bool:
    return apps.declared_in(capabilities.get("extensions"))


def _with_app(result: dict[str, Any]) -> dict[str, Any]:
    tools = [
        {"_meta": apps.TOOL_META} | tool if tool["name"] in apps.WITH_APP else tool
        for tool in result["tools"]
    ]
    return result | {"tools": tools}


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The request or notification; None if there is any doubt that the SDK reads it alike."""
    brackets = line.count(b"{") + line.count(b"[")
    if len(line) > MAX_REQUEST or brackets > MAX_BRACKETS or b"\\ud" in line.lower():
        return None
    try:
        message = json.loads(line.decode(), parse_constant=_refuse, parse_float=_refuse)
    except (ValueError, RecursionError):
        return None
    is_plain = (
        isinstance(message, dict)
        and message.keys() <= {"jsonrpc", "id", "method", "params"}
        and message.get("jsonrpc") == "2.0"
        and isinstance(message.get("method"), str)
        and isinstance(message.get("params"), dict | None)
        and _is_id(message.get("id", 0))
    )
    return message if is_plain else None


def _refuse(_number: str) -> None:
    raise ValueError  # a fraction, Infinity or NaN


def _is_id(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _is_served(era: str, params: Mapping[str, Any]) -> bool:
    """Whether these are parameters of a request in this era, and nothing else: a progress token
    and, without a handshake, what the client says about itself."""
    meta = params.get("_meta", {})
    if not (
        params.keys() <= {"_meta"}
        and isinstance(meta, dict)
        and _is_id(meta.get("progressToken", 0))
    ):
        return False
    if era == HANDSHAKE:
        return meta.keys() <= {"progressToken"}
    return (
        _ENVELOPE <= meta.keys() <= _ENVELOPE | _OPTIONAL
        and meta[f"{_META}protocolVersion"] == MODERN
        and _are_capabilities(meta[_CAPABILITIES])
        and _is_client_info(meta.get(f"{_META}clientInfo", {"name": "", "version": ""}))
    )


def _is_client_info(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and {"name", "version"} <= value.keys() <= _CLIENT_TEXTS
        and all(isinstance(text, str) for text in value.values())
    )


def _are_capabilities(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_capability(*item) for item in value.items())


def _is_capability(name: str, value: Any) -> bool:
    """Whether it is an object of objects. The SDK checks `tasks` to a greater depth."""
    if name == "roots":
        return value in ({}, {"listChanged": True}, {"listChanged": False})
    return _are_objects(value, 4 if name == "tasks" else 2)


def _are_objects(value: Any, depth: int) -> bool:
    return isinstance(value, dict) and (
        depth == 1 or all(_are_objects(member, depth - 1) for member in value.values())
    )
