"""A model on loopback, for chat clients: it calls one of our tools, and then says "done"."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mcp_enrichment.mcp.tools import TOOLS
from tests.support.scripted_server import replies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anyio.abc import SocketStream

    from tests.support.scripted_server import ReceivedRequest

CALLED = "request_email_enrichment"
ARGUMENTS = {"linkedin_url": "https://www.linkedin.com/in/sandbox-found", "type": "work"}
SEARCH = "tool_search"
"""Qwen Code first offers this tool alone, which shows those that the model selects."""
SEARCHED = {"query": "select:" + ",".join(f"mcp__enrichment__{tool.name}" for tool in TOOLS)}
ANSWER = "sandbox-found.work@example.com"
"""The address that the call finds in the test mode."""
Call = tuple[str, dict[str, Any]]
"""The name of a tool and its arguments."""


class ScriptedModel:
    """Answers in the form of the request: as OpenAI's chat completions, or as Gemini does."""

    def __init__(self) -> None:
        self.offered: set[str] = set()
        """The tools of ours that the client has offered."""
        self.results = ""
        """The tools' results that the client sent last, as JSON."""
        self._is_over = False

    async def __call__(self, stream: SocketStream, seen: ReceivedRequest) -> None:
        request = seen.json
        form = Gemini if "contents" in request else OpenAI
        if results := form.results(request):
            self.results = json.dumps(results)
        events = form.events(self._next_call(list(form.tools(request))))
        body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
        await replies(200, body.encode(), {"content-type": "text/event-stream"})(stream, seen)

    def _next_call(self, tools: list[str]) -> Call | None:
        # Each client puts a prefix of its own before the name.
        ours = {tool.name: name for tool in TOOLS for name in tools if name.endswith(tool.name)}
        self.offered |= ours.keys()
        if self._is_over:
            return None
        if CALLED in ours:
            self._is_over = True
            return ours[CALLED], ARGUMENTS
        return (SEARCH, SEARCHED) if SEARCH in tools and not self.results else None


class OpenAI:
    """The chat completions of OpenAI, as a stream."""

    @staticmethod
    def tools(request: dict[str, Any]) -> Iterator[str]:
        return (tool["function"]["name"] for tool in request.get("tools", ()))

    @staticmethod
    def results(request: dict[str, Any]) -> list[Any]:
        return [one["content"] for one in request["messages"] if one["role"] == "tool"]

    @staticmethod
    def events(call: Call | None) -> list[dict[str, Any]]:
        said: dict[str, Any] = {"role": "assistant", "content": "done"}
        if call:
            function = {"name": call[0], "arguments": json.dumps(call[1])}
            calls = [{"index": 0, "id": "call-1", "type": "function", "function": function}]
            said = {"role": "assistant", "content": None, "tool_calls": calls}
        ends = {"finish_reason": "tool_calls" if call else "stop", "delta": {}}
        head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}
        parts = ({"delta": said, "finish_reason": None}, ends)
        return [head | {"choices": [{"index": 0} | part]} for part in parts]


class Gemini:
    """The `streamGenerateContent` of Gemini."""

    @staticmethod
    def tools(request: dict[str, Any]) -> Iterator[str]:
        tools = (tool for part in request.get("tools", ()) for tool in part["functionDeclarations"])
        return (tool["name"] for tool in tools)

    @staticmethod
    def results(request: dict[str, Any]) -> list[Any]:
        parts = (part for content in request["contents"] for part in content["parts"])
        return [part["functionResponse"] for part in parts if "functionResponse" in part]

    @staticmethod
    def events(call: Call | None) -> list[dict[str, Any]]:
        part = {"functionCall": {"name": call[0], "args": call[1]}} if call else {"text": "done"}
        said = {"role": "model", "parts": [part]}
        return [{"candidates": [{"content": said, "finishReason": "STOP", "index": 0}]}]
