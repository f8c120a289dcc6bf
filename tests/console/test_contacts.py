"""A file of contacts is previewed without storing it, then imported, with progress and a report."""

from __future__ import annotations

import errno
import io
import os
import shutil
import time
import zipfile
from typing import TYPE_CHECKING

import pytest

from mcp_enrichment.console import routes, uploads
from tests.console.visitor import HERE, Visitor, form_of, text_of, visited_console
from tests.support.running_service import until

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.support.databases import Place

pytestmark = pytest.mark.anyio
EVIL = "<img src=x onerror=alert(1)>"
LINKEDIN = f"""\
First Name,Last Name,URL,Email Address,Company,Position,Connected On
Ada,Okafor,https://www.linkedin.com/in/ada-okafor-example,ada@example.com,{EVIL},=1+1,01 Jan 2026
Bo,Lind,https://www.linkedin.com/in/bo-lind-example,,Acme,Clerk,02 Jan 2026
"""
CONTACTS = "SELECT email FROM contact_emails"


async def _upload(visitor: Visitor, content: str | bytes, *, status: int = 200) -> httpx.Response:
    form = form_of(await visitor.get("/contacts"), "file")
    sent = content.encode() if isinstance(content, str) else content
    files = {"file": ("Connections.csv", sent)}
    answer = await visitor.http.post(
        "/console/contacts/preview", data={"token": form["token"]}, files=files, headers=HERE
    )
    assert answer.status_code == status, answer.text
    return answer


async def _report(visitor: Visitor, previewed: httpx.Response) -> str:
    """Import the previewed file, and return the text once it says how it ended."""
    page = await visitor.send("/contacts/import", form_of(previewed, "upload"))
    path = str(page.url).partition("/console")[2]
    upload = visitor.console.uploads.get(path.rpartition("/")[2])
    assert upload
    await until(lambda: not upload.is_running)
    return await visitor.read(path)


async def test_a_file_is_previewed_then_imported(visitor: Visitor) -> None:
    preview = await _upload(visitor, LINKEDIN)
    text = text_of(preview)
    assert "An import would store 1 of 2 rows, with 1 addresses" in text
    assert "Ada Okafor work a***@example.com" in text
    assert "line 3 is skipped: without an email" in text
    assert EVIL in text
    assert EVIL not in preview.text
    assert "ada@example.com" not in preview.text
    assert visitor.it.rows(CONTACTS) == []
    assert "Stored 1 rows with 1 addresses, 1 of them new" in await _report(visitor, preview)
    assert visitor.it.rows(CONTACTS) == [("ada@example.com",)]
    assert "operator import" in await visitor.read("/privacy")
    again = await _upload(visitor, LINKEDIN)
    assert "0 of them new" in await _report(visitor, again)


async def test_the_file_is_for_its_owner_only_and_is_deleted_after_the_import(
    place: Place,
) -> None:
    async with visited_console(place) as visitor:
        preview = await _upload(visitor, LINKEDIN)
        [upload] = visitor.console.uploads._by_id.values()
        folders = (upload.path.parent, upload.path.parent.parent)
        assert [folder.stat().st_mode & 0o077 for folder in folders] == [0, 0]
        await _report(visitor, preview)
        assert not upload.path.parent.exists()
        await _upload(visitor, LINKEDIN)
        assert os.listdir(folders[1])
    assert not folders[1].exists()


async def test_old_files_are_forgotten(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_KEPT", 1)
    first = await _upload(visitor, LINKEDIN)
    await _upload(visitor, LINKEDIN)
    refused = await visitor.send("/contacts/import", form_of(first, "upload"), status=404)
    assert "not known any more" in text_of(refused)
    assert visitor.console.uploads._folder
    assert len(os.listdir(visitor.console.uploads._folder)) == 1


@pytest.mark.parametrize(
    "content",
    ["", "a,b\n1,2\n", "\0\0\0", "PK\x03\x04nonsense"],
    ids=["empty", "another table", "zeros", "a broken zip"],
)
async def test_what_is_no_export_is_refused_and_nothing_is_kept(
    visitor: Visitor, content: str
) -> None:
    await _upload(visitor, content, status=400)
    folder = visitor.console.uploads._folder
    assert not folder or not os.listdir(folder)


async def test_a_file_that_is_too_large_is_refused_before_it_is_read(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "MAX_UPLOAD", 100)
    refused = await _upload(visitor, LINKEDIN, status=413)
    assert "`mcp-enrichment contacts import`" in text_of(refused)


async def test_a_small_zip_that_unpacks_to_much_is_refused_before_it_is_read(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_UNPACKED", 100_000)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("Connections.csv", LINKEDIN + "A,B,,,,,\n" * 20_000)
    refused = await _upload(visitor, packed.getvalue(), status=400)
    assert "`mcp-enrichment contacts import`" in text_of(refused)
    assert visitor.console.uploads._folder
    assert os.listdir(visitor.console.uploads._folder) == []


async def test_an_import_that_fails_says_so_and_can_be_repeated(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ValueError("ada@example.com")

    preview = await _upload(visitor, LINKEDIN)
    with monkeypatch.context() as patched:
        patched.setattr(uploads, "import_contacts", fails)
        text = await _report(visitor, preview)
    assert "The import failed; the log says where" in text
    assert "ada@example.com" not in text
    assert "Stored 1 rows" in await _report(visitor, preview)


async def test_how_often_inferred_addresses_are_right_is_reported(visitor: Visitor) -> None:
    assert "0 known work addresses" in await visitor.read("/contacts/report")


async def test_files_are_taken_after_the_system_has_deleted_their_folder(visitor: Visitor) -> None:
    await _upload(visitor, LINKEDIN)
    assert visitor.console.uploads._folder
    shutil.rmtree(visitor.console.uploads._folder)
    assert "Stored 1 rows" in await _report(visitor, await _upload(visitor, LINKEDIN))


async def test_a_full_disk_is_said_and_nothing_is_kept(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(uploads.shutil, "copyfileobj", full)
    refused = await _upload(visitor, LINKEDIN, status=500)
    assert "No space left on device" in text_of(refused)
    assert visitor.console.uploads._folder
    assert os.listdir(visitor.console.uploads._folder) == []


async def test_the_file_of_a_process_that_was_killed_is_deleted_a_day_later(
    visitor: Visitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads.tempfile, "gettempdir", lambda: str(tmp_path))
    ages = {"old": 90_000, "new": 100}
    for name, age in ages.items():
        folder = tmp_path / f"{uploads.PREFIX}{name}"
        folder.mkdir()
        os.utime(folder, (time.time() - age, time.time() - age))
    await _upload(visitor, LINKEDIN)
    left = os.listdir(tmp_path)
    assert f"{uploads.PREFIX}new" in left
    assert f"{uploads.PREFIX}old" not in left
