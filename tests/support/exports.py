"""A LinkedIn export as text, and ways to write it."""

from __future__ import annotations

import csv
import io
import os
import zipfile
from datetime import date
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.sources.exports.open_export import read_export
from mcp_enrichment.service.sources.exports.records import Contact, InvalidExport, Skipped

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

WRITTEN_AT = 1_790_000_000.0
"""The modification time of every file that a test reads."""
NOTES = 'Notes:\r\n"When exporting your data, you may notice, that some are missing."\r\n\r\n'
HEADER = "First Name,Last Name,URL,Email Address,Company,Position,Connected On\r\n"
ADA = (
    "Ada,Okafor,https://www.linkedin.com/in/ada-okafor-example,ada@example.com,"
    '"Lumen Harbour, Inc.",Head of Partnerships,05 Mar 2024\r\n'
)
ADA_READ = Contact(
    profile="https://www.linkedin.com/in/ada-okafor-example",
    email="ada@example.com",
    email_type=EmailType.WORK,
    first_name="Ada",
    last_name="Okafor",
    company="Lumen Harbour, Inc.",
    position="Head of Partnerships",
    connected_on=date(2024, 3, 5),
    seen_at=WRITTEN_AT,
)
EXPORT = NOTES + HEADER + ADA
NO_EXPORT = (
    "is not a known export: pass what LinkedIn, HubSpot, Salesforce, Apollo, Google Contacts or "
    "Outlook export, or a vCard; of any other CSV name the columns: "
    "--map url=COLUMN,email=COLUMN."
)


def rows(path: Path) -> list[Contact | Skipped]:
    if os.path.isfile(path):
        os.utime(path, (WRITTEN_AT, WRITTEN_AT))
    return list(read_export(path))


def refusal(path: Path) -> str:
    with pytest.raises(InvalidExport) as refused:
        rows(path)
    return str(refused.value)


def zipped(files: Mapping[str, str | bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def resaved(text: str, delimiter: str) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(csv.reader(io.StringIO(text)))
    return out.getvalue()
