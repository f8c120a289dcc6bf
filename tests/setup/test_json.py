"""JSON with comments is only read; other JSON keeps its values and style when changed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_enrichment.setup.formats import (
    JSON,
    MAX_DEPTH,
    STRICT_JSON,
    ConfigHasComments,
    UnreadableConfig,
)
from tests.setup.config_texts import configurations, servers, values

ENTRY = {"command": "/opt/it/mcp-enrichment", "args": ["a", "b"], "env": {"A": "ü"}}
PATH = ("mcpServers", "enrichment")

Written = tuple[dict[str, Any], str]

indents = st.sampled_from([None, 1, 4, "\t"])


@given(configurations())
def test_a_text_is_read_as_what_it_says(case: Written) -> None:
    value, text = case
    assert JSON.load(text) == value


@given(st.dictionaries(st.text(), values()), indents)
def test_json_is_read_as_python_reads_it(value: dict[str, Any], indent: int | str | None) -> None:
    text = json.dumps(value, indent=indent)
    assert JSON.load(text) == STRICT_JSON.load(text) == json.loads(text)


@given(servers(), values(), indents, st.booleans())
def test_a_written_entry_can_be_read_and_all_else_stays(
    value: dict[str, Any], entry: Any, indent: int | str | None, escaped: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=escaped)
    changed = JSON.put(text, PATH, entry)
    expected = value | {"mcpServers": value.get("mcpServers", {}) | {"enrichment": entry}}
    assert JSON.load(changed) == expected
    assert json.dumps(json.loads(changed)) == json.dumps(expected), "the order is unchanged"
    assert changed.encode()


@given(servers(), indents, st.booleans())
def test_removing_an_entry_restores_the_text_byte_for_byte(
    value: dict[str, Any], indent: int | str | None, escaped: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=escaped)
    back = JSON.remove(JSON.put(text, PATH, ENTRY), PATH)
    if value.get("mcpServers"):
        assert back == text
    else:
        assert JSON.load(back) == value | {"mcpServers": {}}


@given(configurations(), values())
def test_a_text_with_comments_is_never_changed(case: Written, entry: Any) -> None:
    value, text = case
    try:
        json.loads(text)
    except ValueError:
        for change in (JSON, STRICT_JSON):
            with pytest.raises(ConfigHasComments):
                change.put(text, PATH, entry)
            with pytest.raises(ConfigHasComments):
                change.remove(text, PATH)
        with pytest.raises(ConfigHasComments):
            STRICT_JSON.load(text)
    else:
        assert JSON.load(JSON.put(text, PATH, entry)).keys() == value.keys() | {"mcpServers"}


STYLES = {
    "two spaces": ('{\n  "a": {\n    "b": 1\n  }\n}\n', '{\n  "a": {\n    "b": 1,\n    "c": [\n'
                   '      2\n    ]\n  }\n}\n'),
    "tabs, and Windows' lines": ('{\r\n\t"a": {\r\n\t\t"b": 1\r\n\t}\r\n}', '{\r\n\t"a": {\r\n\t\t'
                                 '"b": 1,\r\n\t\t"c": [\r\n\t\t\t2\r\n\t\t]\r\n\t}\r\n}'),
    "one line": ('{"a": {"b": 1}}', '{"a": {"b": 1, "c": [2]}}'),
    "nothing there yet": ('{\n  "a": {}\n}', '{\n  "a": {\n    "c": [\n      2\n    ]\n  }\n}'),
    "no object for it": ("{}", '{\n  "a": {\n    "c": [\n      2\n    ]\n  }\n}'),
    "an empty file": ("\n", '{\n  "a": {\n    "c": [\n      2\n    ]\n  }\n}\n'),
    "letters of every script": ('{"é": 1}', '{"é": 1, "a": {"c": [2]}}'),
    "escaped letters": ('{"\\u00e9": 1}', '{"\\u00e9": 1, "a": {"c": [2]}}'),
    "half a pair of surrogates": ('{"é": "\\ud800"}',
                                  '{"\\u00e9": "\\ud800", "a": {"c": [2]}}'),
}  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
def test_an_addition_has_the_style_of_the_text(style: str) -> None:
    before, after = STYLES[style]
    assert JSON.put(before, ("a", "c"), [2]) == after
    assert after.encode()


def test_a_key_that_stands_twice_is_read_as_its_last_and_refused_before_one_is_lost() -> None:
    assert JSON.load('{"c": 1, "c": 2}') == STRICT_JSON.load('{"c": 1, "c": 2}') == {"c": 2}
    with pytest.raises(UnreadableConfig, match="same key twice"):
        JSON.put('{"c": 1, "c": 2}', ("d",), 3)


REFUSED = [
    '{"a": 1', '{"a" 1}', '{"a": }', '{"a": 1 "b": 2}', "{,}", '{"a": 1,,}', '{"a": [1,,2]}',
    '{"a": [1 2]}', '{"a": [,]}', "{a: 1}", "{'a': 1}", '{1: 2}', '{"a": 1} {}', '{"a": "b}',
    '{"a": "\n"}', '{"a": 01}', '{"a": +1}', '{"a": 1-2}', '{"a": NaN}', '{"a": "\\x"}', '{/* }',
    '{"a": tru}', "# no", "]", '"a": 1',
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_invalid_json_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(UnreadableConfig) as refusal:
        JSON.put(f"\n\n{text}", PATH, ENTRY)
    assert re.fullmatch("line [34]", str(refusal.value))
    assert not isinstance(refusal.value, ConfigHasComments)


@pytest.mark.parametrize("levels", [MAX_DEPTH, 100_000])
def test_json_that_is_nested_too_deeply_is_refused(levels: int) -> None:
    with pytest.raises(UnreadableConfig, match="nested"):
        JSON.put('{"a": ' + "[" * levels + "]" * levels + "}", PATH, ENTRY)


@pytest.mark.parametrize("text", ["[]", "1", '"a"', '{"mcpServers": []}', '{"mcpServers": null}'])
def test_a_place_that_holds_no_servers_is_refused(text: str) -> None:
    with pytest.raises(UnreadableConfig, match="is not an object"):
        JSON.put(text, PATH, ENTRY)
