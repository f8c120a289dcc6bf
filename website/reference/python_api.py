"""The page on the Python API, from the signatures and the docstrings of its public names."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import fields, is_dataclass
from enum import Enum
from itertools import pairwise
from typing import Any

import mcp_enrichment
from mcp_enrichment import EnrichmentError
from website.reference.markdown import table

NOT_FOR_CALLERS = {"release_waiters", "save_list", "read_list", "signature"}
"""Methods of the client that the MCP server calls, and no caller of the library needs."""


def python_api_page() -> str:
    """Each public name of the package."""
    said = (
        "# Python API\n\nThe public names of `mcp_enrichment`; other modules are internal. The "
        "page on [the library](library.md) shows them at work."
    )
    public = [
        (name, getattr(mcp_enrichment, name))
        for name in mcp_enrichment.__all__
        if not name.startswith("__")
    ]
    return "\n\n".join([said, *(_object(name, one) for name, one in public), ""])


def _object(name: str, one: Any) -> str:
    parts = [f"## `{name}`"]
    if inspect.isclass(one) and issubclass(one, EnrichmentError):
        return "\n\n".join([*parts, _error(one)])
    if inspect.isclass(one) and issubclass(one, Enum):
        return "\n\n".join([*parts, _doc(one), _members(one)])
    parts += [_signature(name, one), _doc(one)]
    if is_dataclass(one):
        parts.append(_fields(one))
    elif inspect.isclass(one):
        parts += [_method(method, vars(one)[method]) for method in _methods(one)]
    return "\n\n".join(part for part in parts if part)


def _methods(one: type) -> list[str]:
    return [
        name
        for name, value in vars(one).items()
        if not name.startswith("_") and inspect.isroutine(value) and name not in NOT_FOR_CALLERS
    ]


def _method(name: str, method: Any) -> str:
    return f"### `{name}`\n\n{_signature(name, method)}\n\n{_doc(method)}"


def _error(kind: type[EnrichmentError]) -> str:
    base = kind.__mro__[1].__name__
    text = _doc(kind) if "__doc__" in vars(kind) and kind.__doc__ else ""
    code = f"Code `{kind.code}`. " if hasattr(kind, "code") else ""
    return f"{code}A subclass of `{base}`. {text} [What it says](errors.md).".replace("  ", " ")


def _signature(name: str, one: Any) -> str:
    """The call, with one parameter a line."""
    shown = inspect.signature(one)
    is_class = inspect.isclass(one)
    begin = "class" if is_class else "async def" if inspect.iscoroutinefunction(one) else "def"
    given = [p for p in shown.parameters.values() if p.name != "self"]
    lines = [f"    {_parameter(p)}," for p in given]
    by_name = [place for place, p in enumerate(given) if p.kind is p.KEYWORD_ONLY]
    if by_name:
        lines.insert(by_name[0], "    *,")
    call = "(\n" + "\n".join(lines) + "\n)" if lines else "()"
    returned = "" if is_class else f" -> {_text(shown.return_annotation)}"
    return f"```text\n{begin} {name}{call}{returned}\n```"


def _parameter(parameter: inspect.Parameter) -> str:
    typed = f"{parameter.name}: {_text(parameter.annotation)}"
    return typed if parameter.default is parameter.empty else f"{typed} = {parameter.default!r}"


def _text(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")


def _fields(one: type) -> str:
    """The fields of a dataclass, with the docstring that follows each in its source."""
    said = _field_docs(one)
    rows = [[f"`{f.name}`", f"`{f.type}`", said.get(f.name, "")] for f in fields(one)]
    return table(["field", "type", "meaning"], rows)


def _field_docs(one: type) -> dict[str, str]:
    [body] = [node.body for node in ast.parse(inspect.getsource(one)).body
              if isinstance(node, ast.ClassDef)]  # fmt: skip
    return {
        before.target.id: " ".join(after.value.value.split())
        for before, after in pairwise(body)
        if isinstance(before, ast.AnnAssign)
        and isinstance(before.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and isinstance(after.value.value, str)
    }


def _members(one: type[Enum]) -> str:
    return table(["name", "value"], [[f"`{m.name}`", f"`{m.value}`"] for m in one])


def _doc(one: Any) -> str:
    return re.sub(r"``", "`", inspect.getdoc(one) or "")
