"""Generated configurations, in every style that JSON with comments allows."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

GAPS = ["", "", " ", "  ", "\n", "\n\n\t", "\r\n    ", " // one, {two}: \"three\"\n", "/* four */",
        "\n  /* five\n six */ "]  # fmt: skip
KEYS = st.one_of(
    st.sampled_from(["mcpServers", "enrichment", "a", "b", "//", "}", 'quo"ted', "ünï"]),
    st.text(max_size=3),
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(["// no comment", "/* nor this */", "a\\b", '"', "{,}", "\u2028\x85"]),
)  # fmt: skip


def values(depth: int = 3) -> st.SearchStrategy[Any]:
    """Any value of JSON."""
    return st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=depth * 4,
    )


@st.composite
def servers(draw: st.DrawFn) -> dict[str, Any]:
    """The value of a configuration with other servers and settings, and without our entry."""
    others = draw(st.dictionaries(KEYS.filter(lambda key: key != "enrichment"), values(2)))
    whole: dict[str, Any] = draw(st.dictionaries(KEYS, values(2), max_size=3))
    whole.pop("mcpServers", None)
    if draw(st.booleans()):
        whole["mcpServers"] = others
    return dict(draw(st.permutations(list(whole.items()))))


@st.composite
def written(draw: st.DrawFn, value: Any) -> str:
    """The value as text, with comments, commas and white space in all places that allow them."""
    if isinstance(value, dict):
        members = [
            json.dumps(key, ensure_ascii=draw(st.booleans())) + _gap(draw) + ":" + _gap(draw)
            + draw(written(inner)) for key, inner in value.items()
        ]  # fmt: skip
        return "{" + _joined(draw, members) + "}"
    if isinstance(value, list):
        return "[" + _joined(draw, [draw(written(inner)) for inner in value]) + "]"
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


def _joined(draw: st.DrawFn, parts: list[str]) -> str:
    text = _gap(draw)
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        comma = "," if not is_last or draw(st.booleans()) else ""
        text += part + _gap(draw) + comma + _gap(draw)
    return text


def _gap(draw: st.DrawFn) -> str:
    return draw(st.sampled_from(GAPS))


@st.composite
def configurations(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    """A value, and one of the texts for it."""
    value = draw(servers())
    return value, _gap(draw) + draw(written(value)) + _gap(draw)
