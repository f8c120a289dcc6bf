"""Tables that commands print, and cells of CSV files."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.table import Table

PIPE_WIDTH = 10_000
"""Characters of a line that goes to a file or another program: nothing is wrapped or cut off."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet runs a cell that begins with one of these."""


def csv_cell(text: str) -> str:
    """The text as a cell of a CSV file that no spreadsheet runs."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def new_table() -> Table:
    """An empty table: with rules in a terminal, and plain columns elsewhere."""
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else None, pad_edge=False)


def print_table(table: Table) -> None:
    """Print a table on stdout. No text in it is markup."""
    from rich.console import Console

    is_terminal = sys.stdout.isatty()
    text = io.StringIO()
    console = Console(
        file=sys.stdout if is_terminal else text,
        width=None if is_terminal else PIPE_WIDTH,
        markup=False,
        emoji=False,
        highlight=False,
    )
    console.print(table)
    for line in text.getvalue().splitlines():
        click.echo(line.rstrip())
