"""JSON with comments: what is read, what is refused, and that only one place changes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_enrichment.setup.errors import UnreadableConfig
from mcp_enrichment.setup.formats import JSON
from mcp_enrichment.setup.jsonc import DEEPEST, parse
from tests.setup.config_texts import configurations, values

ENTRY = {"command": "/opt/it/mcp-enrichment", "args": ["a", "b"], "env": {"A": "ü"}}
PATH = ("mcpServers", "enrichment")

Written = tuple[dict[str, Any], str]

at_any_pace = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@at_any_pace
@given(configurations())
def test_a_text_is_read_as_what_it_says(case: Written) -> None:
    value, text = case
    assert JSON.load(text) == value


@at_any_pace
@given(st.dictionaries(st.text(), values()), st.sampled_from([None, 1, 4, "\t"]))
def test_what_python_reads_is_read_the_same(
    value: dict[str, Any], indent: int | str | None
) -> None:
    text = json.dumps(value, indent=indent)
    assert JSON.load(text) == json.loads(text)


@at_any_pace
@given(configurations(), values())
def test_what_is_put_in_can_be_read_and_everything_else_stays(case: Written, entry: Any) -> None:
    value, text = case
    changed = JSON.put(text, PATH, entry)
    expected = value | {"mcpServers": value.get("mcpServers", {}) | {"enrichment": entry}}
    assert JSON.load(changed) == expected
    rest = iter(changed)
    assert all(mark in rest for mark in text if not mark.isspace()), "something was taken away"


@at_any_pace
@given(configurations())
def test_what_was_put_beside_others_is_taken_out_again_to_the_byte(case: Written) -> None:
    value, text = case
    back = JSON.remove(JSON.put(text, PATH, ENTRY), PATH)
    if value.get("mcpServers"):
        assert back == text
    else:
        assert JSON.load(back) == value | {"mcpServers": {}}


@at_any_pace
@given(configurations(), values(), values())
def test_a_value_that_is_replaced_leaves_the_rest_to_the_byte(
    case: Written, first: Any, second: Any
) -> None:
    once = JSON.put(case[1], PATH, first)
    place = parse(once).root
    for key in PATH:
        member = place.member(key)
        assert member
        place = member.value
    twice = JSON.put(once, PATH, second)
    assert twice.startswith(once[: place.start])
    assert twice.endswith(once[place.end :])


STYLES = {
    "two spaces": ('{\n  "a": {\n    "b": 1\n  }\n}\n', '{\n  "a": {\n    "b": 1,\n    "c": [\n'
                   '      2\n    ]\n  }\n}\n'),
    "tabs, and Windows' lines": ('{\r\n\t"a": {\r\n\t\t"b": 1\r\n\t}\r\n}', '{\r\n\t"a": {\r\n\t\t'
                                 '"b": 1,\r\n\t\t"c": [\r\n\t\t\t2\r\n\t\t]\r\n\t}\r\n}'),
    "one line": ('{"a": {"b": 1}}', '{"a": {"b": 1, "c": [2]}}'),
    "a comma at the end": ('{\n "a": {\n  "b": 1, // b\n }\n}', '{\n "a": {\n  "b": 1, // b\n'
                           '  "c": [\n   2\n  ],\n }\n}'),
    "a comment at the end": ('{\n "a": {\n  "b": 1 // b\n }\n}', '{\n "a": {\n  "b": 1, // b\n'
                             '  "c": [\n   2\n  ]\n }\n}'),
    "nothing there yet": ('{\n  "a": {}\n}', '{\n  "a": {\n    "c": [\n      2\n    ]\n  }\n}'),
    "no object for it": ("{}", '{\n  "a": {\n    "c": [\n      2\n    ]\n  }\n}'),
    "an empty file": ("\n", '{\n  "a": {\n    "c": [\n      2\n    ]\n  }\n}\n'),
    "a mark of order": ('\ufeff{"a": {}\n}', '\ufeff{"a": {\n  "c": [\n    2\n  ]\n}\n}'),
}  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
def test_what_is_new_is_written_as_the_rest_is(style: str) -> None:
    before, after = STYLES[style]
    assert JSON.put(before, ("a", "c"), [2]) == after


def test_a_comment_does_not_swallow_what_follows_what_is_taken_out() -> None:
    text = '{"a": 1, // a\n "c": 2, "b": 3}'
    assert JSON.load(JSON.remove(text, ("c",))) == {"a": 1, "b": 3}


def test_of_a_key_that_stands_twice_the_last_one_counts() -> None:
    assert JSON.put('{"c": 1, "c": 2}', ("c",), 3) == '{"c": 1, "c": 3}'


REFUSED = [
    '{"a": 1', '{"a" 1}', '{"a": }', '{"a": 1 "b": 2}', "{,}", '{"a": 1,,}', '{"a": [1,,2]}',
    '{"a": [1 2]}', '{"a": [,]}', "{a: 1}", "{'a': 1}", '{1: 2}', '{"a": 1} {}', '{"a": "b}',
    '{"a": "\n"}', '{"a": 01}', '{"a": +1}', '{"a": 1-2}', '{"a": NaN}', '{"a": "\\x"}', '{/* }',
    '{"a": tru}', "# no", "]", '"a": 1', '{"a": ' + "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1) + "}",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_json_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(UnreadableConfig) as refusal:
        JSON.put(f"\n\n{text}", PATH, ENTRY)
    assert re.fullmatch("line [34]", str(refusal.value))


@pytest.mark.parametrize("text", ["[]", "1", '"a"', '{"mcpServers": []}', '{"mcpServers": null}'])
def test_a_place_that_holds_no_servers_is_refused(text: str) -> None:
    with pytest.raises(UnreadableConfig, match="is not an object"):
        JSON.put(text, PATH, ENTRY)
