"""Contacts: importing an export after a preview, and how often inferred addresses are right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio.to_thread

from mcp_enrichment.console.visits import Refused
from mcp_enrichment.contract.errors import CommandError
from mcp_enrichment.service.contacts import person_records
from mcp_enrichment.service.privacy.masking import masked_address
from mcp_enrichment.service.sources.exports.records import Contact

if TYPE_CHECKING:
    from starlette.responses import Response

    from mcp_enrichment.console.uploads import Upload
    from mcp_enrichment.console.visits import Visit
    from mcp_enrichment.service.sources.exports.records import Skipped

FORGOTTEN = Refused(
    404, "This file is not known any more.", "Nothing was stored. Choose the file again."
)


async def show(visit: Visit) -> Response:
    """The form for a file."""
    return visit.page("contacts.html")


async def preview(visit: Visit) -> Response:
    """The first rows of a file as they are understood. Nothing is stored."""
    if visit.file is None or not visit.file.size:
        raise Refused(400, "No file was chosen, or it is empty.", "Nothing was stored.")
    try:
        upload_id = await visit.console.uploads.add(visit.file)
    except CommandError as error:
        raise Refused(400, str(error), "Nothing was stored.") from error
    return visit.to(f"/contacts/imports/{upload_id}")


async def show_import(visit: Visit) -> Response:
    """The preview of a file, the progress of its import, or its report."""
    upload_id = visit.request.path_params["id"]
    upload = _upload(visit, upload_id)
    rows = [_row(row) for row in upload.first]
    return visit.page("import.html", upload=upload, upload_id=upload_id, rows=rows)


async def start(visit: Visit) -> Response:
    """Import a previewed file: the preview was the question."""
    upload_id = visit.form.get("upload", "")
    visit.console.uploads.start(_upload(visit, upload_id), visit.console.service.database)
    return visit.to(f"/contacts/imports/{upload_id}")


async def show_report(visit: Visit) -> Response:
    """The accuracy of inferred addresses. It is computed again after an import."""
    database = visit.console.service.database
    found = await anyio.to_thread.run_sync(person_records.figures, database)
    return visit.page("contacts_report.html", found=found, offered=found.offered())


def _upload(visit: Visit, upload_id: str) -> Upload:
    upload = visit.console.uploads.get(upload_id)
    if upload is None:
        raise FORGOTTEN
    return upload


def _row(row: Contact | Skipped) -> tuple[str, ...]:
    """The cells of a row of the preview, without the address."""
    if not isinstance(row, Contact):
        return (f"line {row.line} is skipped: {row.reason.text}",)
    name = f"{row.first_name} {row.last_name}".strip()
    masked = masked_address(row.email)
    return name, row.email_type, masked, row.profile or "-", row.company, row.position
