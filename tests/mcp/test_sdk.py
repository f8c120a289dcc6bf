"""The private names of the MCP SDK that we use. A failure here names the release that broke one."""

from __future__ import annotations

import tomllib
from importlib.metadata import version

import pytest
from mcp.server import connection
from mcp.server.connection import Connection
from mcp.server.lowlevel import Server
from mcp.server.session import ServerSession
from mcp.shared import _stream_protocols
from mcp.shared.dispatcher import DispatchContext

from mcp_enrichment.mcp.sdk import take_tracing_middleware
from tests.support.fresh_copy import ROOT

SDK = f"mcp {version('mcp')}"


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (_stream_protocols, "ReadStream"),
        (_stream_protocols, "WriteStream"),
        (Connection, "send_resource_updated"),
        (connection, "Connection"),
    ],
)
def test_the_sdk_still_has_a_private_name(owner: object, name: str) -> None:
    assert hasattr(owner, name), f"{SDK} has no {owner!r}.{name}"


def test_a_session_still_holds_its_connection() -> None:
    parameters = ServerSession.__init__.__code__
    assert "_connection" in parameters.co_names, f"{SDK} has no ServerSession._connection"


def test_a_session_still_holds_the_context_of_its_message() -> None:
    names = ServerSession.__init__.__code__.co_names
    assert "_request_outbound" in names, f"{SDK} has no ServerSession._request_outbound"
    assert hasattr(DispatchContext, "message_metadata"), f"{SDK} has no message_metadata"


def test_a_connection_still_has_a_state_and_an_exit_stack() -> None:
    names = {*Connection.__init__.__code__.co_names, *vars(Connection)}
    assert {"state", "exit_stack"} <= names, f"{SDK} has no Connection.state or .exit_stack"


def test_a_server_still_has_one_middleware_of_its_own() -> None:
    server = Server[object]("test")
    spans = take_tracing_middleware(server)
    assert callable(spans), f"{SDK} has no tracing middleware"
    assert server.middleware == []


def test_the_sdk_is_pinned_below_its_next_minor_version() -> None:
    major, minor, *_ = map(int, version("mcp").split("."))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    [requirement] = [one for one in project["dependencies"] if one.startswith("mcp>")]
    assert requirement.endswith(f",<{major}.{minor + 1}"), requirement
