"""With a collector in the standard variables, one trace leads from the tool call to the
callback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.mcp.faces import ADA
from tests.mcp.pipes import modern, piped
from tests.support.scripted_server import ScriptedServer, replies
from tests.support.waiting import HANG

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from tests.tracing.collector import Collector

pytestmark = pytest.mark.anyio

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ALL = (
    "tools/call request_email_enrichment",
    "POST enrichment",
    "POST /v1/api/enrichment/email",
    "look up",
    "deliver callback",
)
PERSONAL = "ada.okafor@example.com"


def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    params = modern(name=name, arguments=arguments)
    params["_meta"]["traceparent"] = f"00-{TRACE}-{CALLER}-01"
    return params


async def test_a_request_is_followed_from_the_tool_call_to_the_callback(
    tmp_path: Path, collector: Collector, receiver: ScriptedServer
) -> None:
    receiver.will(replies(204))
    asked = {"linkedin_url": ADA, "type": "work", "callback_url": f"{receiver.url}/{PERSONAL}"}
    allowed = {"CALLBACK_NETWORKS": "127.0.0.0/8", "CALLBACK_PORTS": str(receiver.port)}
    async with piped(tmp_path, **allowed) as server:
        result = await server.ask("tools/call", call("request_email_enrichment", asked))
        assert not result["isError"], result
        await collector.has(*ALL)
        assert await server.ends() == 0
        assert server.stderr() == ""
    spans = collector.spans
    assert {spans[name].trace_id.hex() for name in ALL} == {TRACE}
    parents = [parent_of(spans, name) for name in ALL]
    assert parents == ["the caller", ALL[0], ALL[1], ALL[2], ALL[2]]
    sent = receiver.seen[0].headers["traceparent"].split("-")
    assert sent[1:3] == [TRACE, spans["deliver callback"].span_id.hex()]
    assert collector.services == {"mcp-enrichment"}
    for secret in (b"okafor", b"linkedin", str(receiver.port).encode(), b"example.com"):
        assert secret not in collector.everything


async def test_no_span_contains_text_of_a_client(tmp_path: Path, collector: Collector) -> None:
    async with piped(tmp_path) as server:
        await server.ask("tools/call", call(PERSONAL, {}))
        await server.ask(PERSONAL, modern(name=PERSONAL))
        await server.ask("resources/read", modern(uri=f"enrichment://{PERSONAL}"))
        await server.ask("prompts/get", modern(name="find_emails", arguments={PERSONAL: ""}))
        await server.ask("tools/call", call("get_enrichment", {"id": PERSONAL}))
        names = ("tools/call", "unknown", "resources/read", "prompts/get find_emails")
        await collector.has(*names, "tools/call get_enrichment")
    assert PERSONAL.encode() not in collector.everything


async def test_nothing_is_sent_unless_a_collector_is_named(
    tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    async with piped(tmp_path) as server:
        await server.ask("tools/call", call("get_credits", {}))
        assert await server.ends() == 0
    monkeypatch.delenv("OTEL_SDK_DISABLED")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    async with piped(tmp_path) as server:
        await server.ask("tools/call", call("get_credits", {}))
        assert await server.ends() == 0
    assert collector.everything == b""


async def test_the_name_of_the_service_is_the_operators(
    tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "sales")
    async with piped(tmp_path) as server:
        await server.ask("tools/call", call("get_credits", {}))
        await collector.has("tools/call get_credits")
    assert collector.services == {"sales"}


async def test_a_collector_that_does_not_answer_keeps_nobody_from_ending(
    tmp_path: Path, vendor: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived = anyio.Event()

    async def never_answers(_stream: object, _seen: object) -> None:
        arrived.set()
        await anyio.sleep_forever()

    vendor.always(never_answers)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", vendor.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    async with piped(tmp_path) as server:
        await server.ask("tools/call", call("get_credits", {}))
        with anyio.fail_after(HANG):
            await arrived.wait()
        assert await server.ends() == 0  # the exporter itself would wait ten seconds


async def test_without_the_extra_one_line_says_so_and_the_server_serves(
    tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nsys.modules['opentelemetry.sdk.trace'] = None\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with piped(tmp_path) as server:
        result = await server.ask("tools/call", call("get_credits", {}))
        assert not result["isError"]
        assert await server.ends() == 0
        assert "pip install 'mcp-enrichment[otel]'" in server.stderr()
    assert collector.everything == b""


def parent_of(spans: dict[str, Span], name: str) -> str:
    ids = {span.span_id.hex(): known for known, span in spans.items()} | {CALLER: "the caller"}
    return ids.get(spans[name].parent_span_id.hex(), "nobody")
