"""Importing a million rows of a vendor's export, relative to Python's bare csv module on that file.

Each runs in its own process: its seconds are those of the work alone, its memory is its peak.
Goals: a million rows within 60 s, with at most 1.1 times the memory that a tenth of the rows takes.
"""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_enrichment.service.contacts.contact_import import import_contacts
from mcp_enrichment.service.db.sqlite import open_sqlite
from mcp_enrichment.service.sources.exports.open_export import open_export

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 1_000_000
FEW = 100_000
SHUFFLED = 7_919
"""A prime: people come in no order, as in a real export."""
HEADER = (
    "First Name,Last Name,Title,Company,Company Name for Emails,Email,Email Status,Seniority,"
    "Person Linkedin Url,Website,Company Linkedin Url,City,Country,Apollo Contact Id"
)


def main() -> None:
    """Print rows a second and peak memory of each, and the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        many, few = (written(Path(folder) / f"{rows}.csv", rows) for rows in (ROWS, FEW))
        print(f"{ROWS:,} rows of {many.stat().st_size / ROWS:.0f} bytes, each with an address")
        bare = told("bare csv module", "bare", many)
        told("ours, read alone", "read", many)
        small = told("ours, imported (100,000 rows)", "store", few, rows=FEW)
        big = told("ours, imported", "store", many)
        again = told("ours, imported again", "store", many)
    print(f"imported beside the bare module: {big[0] / bare[0]:.0f} times as long")
    print(f"a million rows: {big[0]:.0f} s, and again {again[0]:.0f} s (goal: < 60 s)")
    print(f"memory beside a tenth of the rows: {big[1] / small[1]:.2f} times (goal: ≤ 1.1)")


def told(what: str, how: str, file: Path, rows: int = ROWS) -> tuple[float, float]:
    """Print and return the seconds and MiB of one process."""
    command = [sys.executable, "-m", "bench.import", how, str(file)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    seconds, memory = json.loads(said)
    print(f"{what:30} {rows / seconds:10,.0f} rows/s {memory:6.0f} MiB", flush=True)
    return seconds, memory


def work(how: str, file: Path) -> None:
    """The work of one process; it prints its seconds, and its peak memory in MiB."""
    began = time.perf_counter()
    {"bare": bare_rows, "read": read_rows, "store": store_rows}[how](file)
    seconds = time.perf_counter() - began
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def bare_rows(file: Path) -> None:
    """Read every row, and do nothing with it."""
    with file.open(encoding="utf-8", newline="") as text:
        deque(csv.reader(text), maxlen=0)


def read_rows(file: Path) -> None:
    """Parse every row, and store nothing."""
    with open_export(file) as export:
        deque(export.rows, maxlen=0)


def store_rows(file: Path) -> None:
    """Store every row in a database beside the file; the first time the database is new."""
    database = open_sqlite(file.with_suffix(".db"))
    with open_export(file) as export:
        report = import_contacts(database, export.rows, source=export.name)
    database.close()
    assert report.read == report.stored, report


def written(file: Path, rows: int) -> Path:
    """Write an export in Apollo's format."""
    with file.open("w", encoding="utf-8") as out:
        out.writelines(f"{line}\n" for line in lines(rows))
    return file


def lines(rows: int) -> Iterator[str]:
    """Fictional people of 5,000 companies."""
    yield HEADER
    for number in range(rows):
        person = number * SHUFFLED % rows
        company = f"harbour{person % 5_000}"
        yield (
            f'Pat,Example {person},Head of Partnerships,"Harbour {company}, Inc.",{company},'
            f"pat.{person}@{company}.example,Verified,Head,"
            f"http://www.linkedin.com/in/pat-example-{person:07},http://{company}.example,"
            f"http://www.linkedin.com/company/{company},Lagos,Nigeria,64c{person:021}"
        )


if __name__ == "__main__":
    work(sys.argv[1], Path(sys.argv[2])) if sys.argv[1:] else main()
