"""The page on errors."""

from __future__ import annotations

import inspect

from mcp_enrichment.contract import errors
from tests.support.generated_docs import errors_table


def errors_page() -> str:
    """Each error with its code, and what it says."""
    tree = (inspect.getdoc(errors) or "").partition("\n\n")[2].partition("\n\n")[0]
    said = (
        "# Errors\n\nEvery error has a code, and says what happened, what it means for money, and "
        "what to do. A tool returns the text for an assistant; a terminal, the HTTP API and Python "
        "show the text for a person. No text of an error comes from outside."
    )
    classes = f"## Classes\n\nPython raises these classes:\n\n```text\n{tree}\n```"
    return "\n\n".join([said, errors_table(), classes, *map(_error, _explained()), ""])


def _explained() -> list[type[errors.EnrichmentError]]:
    """The errors with a text of their own."""
    return [
        one
        for one in vars(errors).values()
        if isinstance(one, type)
        and issubclass(one, errors.EnrichmentError)
        and isinstance(vars(one).get("explanation"), errors.Explanation)
    ]


def _error(kind: type[errors.EnrichmentError]) -> str:
    text = kind.explanation
    code = f"`{kind.code}`" + (f", over HTTP `{kind.body_code}`" if kind.body_code else "")
    to_model = text.for_assistant
    lines = [
        f"- **Code**: {code}",
        f"- **What happened**: {_literal(text.happened)}",
        f"- **Money**: {_literal(text.money)}",
        f"- **For a person**: {_literal(text.for_person)}",
        *([f"- **For an assistant**: {_literal(to_model)}"] if to_model else []),
    ]
    return "\n".join([f"## `{kind.__name__}`", "", *lines])


def _literal(text: str) -> str:
    return text.replace("<", "\\<")
