"""The bar that a person sees while a list is looked up."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcp_enrichment.cli.list_lookup import ListLookup

NARROW = 80
"""Columns of a terminal below which the bar itself is left out."""


@contextmanager
def progress_bar(lookup: ListLookup) -> Iterator[Callable[[ListLookup], None]]:
    """A bar on stderr, if that is a terminal. Yields a function that shows the present counts."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True, highlight=False, emoji=False, markup=False)
    is_wide = console.width >= NARROW
    with Progress(
        *([BarColumn(bar_width=None)] if is_wide else []),
        "{task.completed}/{task.total}  {task.description}",
        TimeRemainingColumn(compact=True),
        *(["left"] if is_wide else []),
        console=console,
        expand=is_wide,
        disable=not console.is_terminal,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as progress:
        task = progress.add_task(_counts(lookup), total=lookup.people)

        def show(lookup: ListLookup) -> None:
            progress.update(task, completed=lookup.answered, description=_counts(lookup))

        yield show


def _counts(run: ListLookup) -> str:
    return f"found {run.found}  missed {run.missed}  open {run.open}  spent {run.spent}"
