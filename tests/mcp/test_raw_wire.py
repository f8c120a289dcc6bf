"""After any bytes on stdin the server still works, and stdout has only messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mcp.junk import MONSTERS, as_json, lines
from tests.mcp.raw_pipe import RawPipe, raw_pipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GROWTH = 8_192
"""Kilobytes by which the second round of the same bad requests may exceed the first."""


@pytest.fixture(scope="module", params=["legacy", "modern"])
def wire(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RawPipe]:
    """One server for all the invalid input."""
    with raw_pipe(tmp_path_factory.mktemp(request.param), request.param) as pipe:
        pipe.open()
        yield pipe
    assert "Traceback" not in pipe.errors.read_text("utf-8")


@settings(max_examples=250, derandomize=True)
@given(sent=st.lists(lines(), max_size=12))
def test_any_lines_are_survived(wire: RawPipe, sent: list[bytes]) -> None:
    wire.survives(b"\n".join(sent))


@pytest.mark.parametrize("name", MONSTERS)
def test_a_monster_is_survived(wire: RawPipe, name: str) -> None:
    wire.survives(MONSTERS[name])


def test_bad_requests_leave_nothing_behind(wire: RawPipe) -> None:
    def round_of(name: str) -> bytes:
        bad = [
            {
                "jsonrpc": "2.0",
                "id": f"{name} {number}",
                "method": "tools/call",
                "params": {"name": tool, "arguments": {"id": 1}},
            }
            for number in range(500)
            for tool in ("nobody" * 100, "get_enrichment")
        ]
        return b"\n".join([line for one in bad for line in (as_json(one), as_json(one)[:-1])])

    wire.survives(round_of("first"))
    before = wire.kilobytes()
    wire.survives(round_of("second"))
    assert wire.kilobytes() - before < GROWTH


def test_junk_before_the_handshake_does_not_spoil_it(tmp_path: Path) -> None:
    with raw_pipe(tmp_path, "legacy") as pipe:
        assert pipe.open(b"\n".join(MONSTERS.values()))[-1]["result"]["protocolVersion"]
