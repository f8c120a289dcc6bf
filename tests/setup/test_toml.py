"""Codex's configuration is TOML with comments; only our table in it changes."""

from __future__ import annotations

import tomllib

import pytest

from mcp_enrichment.setup.formats import TOML, UnreadableConfig

ENTRY = {"command": "C:\\it\\mcp-enrichment.exe", "args": ["a"], "env": {"A": "ü"}}
PATH = ("mcp_servers", "enrichment")

PLAIN = 'model = "o3" # the best\n\n# servers\n[mcp_servers.other]\ncommand = "x" # y\n\n[tui]\na=1'
TEXTS = {
    "empty": "",
    "without servers": 'model = "o3"\n',
    "with others": PLAIN,
    "with Windows' lines": PLAIN.replace("\n", "\r\n") + "\r\n",
    "in a line": 'mcp_servers = { other = { command = "x" } } # c\n[tui]\n',
    "dotted": '[mcp_servers]\nother.command = "x"\n\n',
    "out of order": '[mcp_servers.a]\ncommand = "1"\n[tui]\n[mcp_servers.b]\ncommand = "2"\n',
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_new_table_moves_nothing_of_what_is_there(text: str) -> None:
    changed = TOML.put(text, PATH, ENTRY)
    expected = tomllib.loads(text)
    expected.setdefault("mcp_servers", {})["enrichment"] = ENTRY
    assert tomllib.loads(changed) == expected
    if not text.startswith("mcp_servers ="):
        assert changed.startswith(text)
    assert ("\r\n" in text) == ("\r\n" in changed)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_an_entry_is_taken_out_of_toml_and_the_comments_stay(text: str) -> None:
    back = TOML.remove(TOML.put(text, PATH, ENTRY), PATH)
    assert back.split() == text.split()


def test_a_value_of_a_table_that_is_there_is_changed_in_its_place() -> None:
    text = '[mcp_servers.enrichment]\ncommand = "old" # mine\nenabled = false\n[tui]\n'
    changed = TOML.merged(text, PATH, {"command": "new", "env": {"A": "1"}})
    assert changed.startswith('[mcp_servers.enrichment]\ncommand = "new" # mine\nenabled = false\n')
    assert tomllib.loads(changed)["mcp_servers"]["enrichment"]["env"] == {"A": "1"}


@pytest.mark.parametrize("text", ["a = ", "a = 1\na = 2", "[a\n"])
def test_invalid_toml_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(UnreadableConfig, match=r"line \d|its end"):
        TOML.put(text, PATH, ENTRY)


def test_a_place_that_holds_no_servers_is_refused() -> None:
    with pytest.raises(UnreadableConfig, match="mcp_servers is not a table"):
        TOML.put("mcp_servers = 1", PATH, ENTRY)
