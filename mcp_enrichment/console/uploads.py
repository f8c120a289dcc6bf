"""Uploaded exports of contacts: previewed, then imported in the background.

The files are in a folder that only this process's user may read, and are deleted after the import,
by newer uploads, and at the end of the process.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Self

import anyio
import anyio.to_thread

from mcp_enrichment.contract.defaults import DAY
from mcp_enrichment.contract.error_logging import safe_traceback
from mcp_enrichment.contract.errors import CommandError, EnrichmentError
from mcp_enrichment.service.contacts.contact_import import ImportReport, import_contacts
from mcp_enrichment.service.sources.exports.open_export import open_export

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.datastructures import UploadFile

    from mcp_enrichment.service.db.database import Database
    from mcp_enrichment.service.sources.exports.records import Contact, Skipped

logger = logging.getLogger(__name__)

PREVIEWED = 10
"""Rows of the preview."""
MAX_UNPACKED = 32 * 2**20
"""Bytes of a file that came in a zip: 426 kB can unpack to 225 MiB, which take a minute to read."""
PREFIX = "mcp-enrichment-upload-"
MAX_KEPT = 20
"""Uploads that are remembered. The oldest one that is not being imported is forgotten first."""


@dataclass(kw_only=True, slots=True)
class Upload:
    """An uploaded file, and how far its import is."""

    path: Path
    format: str = ""
    """The program that exported it."""
    first: Sequence[Contact | Skipped] = ()
    """The first rows as they are understood."""
    expected: ImportReport = field(default_factory=ImportReport)
    """The report of an import of this file, before one is made."""
    is_running: bool = False
    share_read: float = 0.0
    """Of the file."""
    report: ImportReport | None = None
    """The result of the import; None before its end."""
    failure: str = ""
    """Why the import has failed."""

    def delete(self) -> None:
        """Delete the file."""
        shutil.rmtree(self.path.parent, ignore_errors=True)


class Uploads:
    """The uploads of this process. As a context it ends their imports."""

    def __init__(self) -> None:
        self._by_id: dict[str, Upload] = {}
        self._folder: Path | None = None
        self._tasks = anyio.create_task_group()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        # A thread that imports goes on until the process ends. Importing again adds the rest.
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def get(self, upload_id: str) -> Upload | None:
        """The upload with this id; None if it is unknown or forgotten."""
        return self._by_id.get(upload_id)

    async def add(self, sent: UploadFile) -> str:
        """Keep a file, read it without storing contacts, and return its id. Raises
        `CommandError`."""
        upload_id = secrets.token_hex(16)
        upload = Upload(path=self._new_path(upload_id))
        try:
            await anyio.to_thread.run_sync(_copy, sent, upload.path)
            await anyio.to_thread.run_sync(_preview, upload)
        except BaseException:
            upload.delete()
            raise
        self._by_id[upload_id] = upload
        self._forget_old()
        return upload_id

    def start(self, upload: Upload, database: Database) -> None:
        """Import it in the background, unless that was started before."""
        if not upload.is_running and upload.report is None:
            upload.is_running, upload.failure = True, ""
            self._tasks.start_soon(_import, upload, database)

    def _new_path(self, upload_id: str) -> Path:
        if self._folder is None or not self._folder.exists():  # systems delete old temporary files
            _delete_abandoned()
            self._folder = Path(tempfile.mkdtemp(prefix=PREFIX))  # for its owner only
        folder = self._folder / upload_id
        folder.mkdir(mode=0o700)
        return folder / "The file"  # errors begin with its name

    def _forget_old(self) -> None:
        idle = [one for one, upload in self._by_id.items() if not upload.is_running]
        for upload_id in idle[: max(len(self._by_id) - MAX_KEPT, 0)]:
            self._by_id.pop(upload_id).delete()


def _delete_abandoned() -> None:
    """Delete the files of processes that were killed at least a day ago."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.stat().st_mtime < time.time() - DAY:
                shutil.rmtree(folder, ignore_errors=True)


def _copy(sent: UploadFile, path: Path) -> None:
    with path.open("xb") as file:
        shutil.copyfileobj(sent.file, file)


def _check_size(_read: int, size: int) -> None:
    if size > MAX_UNPACKED:
        raise CommandError(
            f"The file holds more than {MAX_UNPACKED // 2**20} MiB. "
            "`mcp-enrichment contacts import` takes a file of any size."
        )


def _preview(upload: Upload) -> None:
    with open_export(upload.path, progress=_check_size) as export:
        first = list(islice(export.rows, PREVIEWED))
        for _ in upload.expected.contacts_among(chain(first, export.rows)):
            pass
    upload.format, upload.first = export.name, first


async def _import(upload: Upload, database: Database) -> None:
    try:
        work = partial(_import_now, upload, database)
        upload.report = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
        upload.delete()
    except EnrichmentError as error:
        upload.failure = error.to_person()
    except (CommandError, OSError) as error:
        upload.failure = f"The file cannot be read: {type(error).__name__}."
    except Exception as defect:  # noqa: BLE001 (its text may hold personal data)
        logger.error("an import raised %s", safe_traceback(defect))  # noqa: TRY400
        upload.failure = "The import failed; the log says where. Importing again adds the rest."
    finally:
        upload.is_running = False


def _import_now(upload: Upload, database: Database) -> ImportReport:
    def progress(done: int, total: int) -> None:
        upload.share_read = done / total if total else 1.0

    with open_export(upload.path, progress=progress) as export:
        return import_contacts(database, export.rows, source=export.name)
