"""Results of lists as the app gets them from a chat."""

from __future__ import annotations

from typing import Any

from mcp_enrichment.mcp.lists import COLUMNS

LIST_ID = f"list-{'0' * 32}"


def row(number: int, status: str, **more: Any) -> list[Any]:
    """A row of the table; `more` names the cells that are not empty."""
    cells = {"linkedin_url": f"linkedin.com/in/person-{number}", "status": status} | more
    return [cells.get(name) for name in COLUMNS]


def found(number: int, **more: Any) -> list[Any]:
    cells = {"email": f"person-{number}@example.com", "source": "contacts", "credits_charged": 1}
    return row(number, "completed", **(cells | {"verification": "verified"} | more))


def table(*rows: list[Any], **more: Any) -> dict[str, Any]:
    """The result of `request_email_enrichments` with these rows."""
    return result(
        {
            "columns": list(COLUMNS),
            "rows": rows,
            "summary": {"credits_left": 200},
            "list_id": LIST_ID,
            "all_final": False,
            "next_step": None,
        }
        | more
    )


def result(content: dict[str, Any]) -> dict[str, Any]:
    return {"content": [], "structuredContent": content}


def arguments_for(*rows: list[Any]) -> dict[str, Any]:
    """The arguments of the call that gave these rows."""
    return {"linkedin_urls": [f"https://www.{cells[0]}" for cells in rows], "type": "work"}
