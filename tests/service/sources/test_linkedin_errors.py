"""A zip is read like the file in it. Any other file is refused with what to pass instead."""

from __future__ import annotations

import os
import sys
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_enrichment.service.sources.exports import open_text
from mcp_enrichment.service.sources.exports.records import Contact, InvalidExport, Skipped
from tests.support.exports import (
    ADA,
    ADA_READ,
    EXPORT,
    HEADER,
    NO_EXPORT,
    read_export,
    refusal,
    rows,
    zipped,
)

# LinkedIn's zip


@pytest.mark.parametrize(
    "name",
    ["Connections.csv", "Basic_Export/Data/CONNECTIONS.CSV", "Export\\connections.csv"],
)
def test_the_zip_is_read_wherever_it_holds_the_file(written: Any, name: str) -> None:
    content = zipped({"__MACOSX/Connections.csv": b"\0\5", "Profile.csv": "x", name: EXPORT})
    assert rows(written(content, "Basic_LinkedInDataExport.zip")) == [ADA_READ]


def test_a_zip_is_known_by_its_content_and_not_by_its_name(written: Any) -> None:
    assert rows(written(zipped({"Connections.csv": EXPORT}), "export.csv")) == [ADA_READ]


def test_progress_through_a_zip_counts_unpacked_bytes(written: Any) -> None:
    told: list[tuple[int, int]] = []
    path = written(zipped({"Connections.csv": EXPORT}))
    list(read_export(path, progress=lambda done, total: told.append((done, total))))
    assert told[-1] == (len(EXPORT.encode()), len(EXPORT.encode()))


@pytest.mark.parametrize("files", [{}, {"notes.txt": EXPORT}])
def test_a_zip_without_an_export_is_refused(written: Any, files: dict[str, str]) -> None:
    message = refusal(written(zipped(files), "other.zip"))
    assert message == (
        "other.zip holds neither a CSV file nor a vCard: unpack it and pass the export in it."
    )


def test_the_only_table_of_a_zip_is_read_and_of_several_none_is_chosen(written: Any) -> None:
    assert rows(written(zipped({"a/all-contacts.csv": EXPORT}))) == [ADA_READ]
    several = zipped({"Contact.csv": EXPORT, "Lead.csv": EXPORT})
    assert "holds several tables: unpack it" in refusal(written(several))


def test_an_excel_workbook_is_refused_with_what_to_save_instead(written: Any) -> None:
    content = zipped({"[Content_Types].xml": "", "xl/workbook.xml": ""})
    message = refusal(written(content, "Connections.xlsx"))
    assert message == "Connections.xlsx is an Office document: save it as CSV in UTF-8 there."


def test_a_zip_with_a_password_is_refused(written: Any) -> None:
    content = bytearray(zipped({"Connections.csv": EXPORT}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert "is protected by a password: unpack it" in refusal(written(bytes(content)))


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_packed_without_a_bound_is_refused(written: Any, packing: int) -> None:
    content = zipped({"Connections.csv": EXPORT}, packing)
    assert "is packed in a way that is not supported" in refusal(written(content))


@pytest.mark.parametrize("spoil", ["cut", "flip"])
def test_a_damaged_zip_is_refused(written: Any, spoil: str) -> None:
    content = bytearray(zipped({"Connections.csv": EXPORT}))
    content[60] ^= 0xFF
    message = refusal(written(bytes(content[:90] if spoil == "cut" else content), "part.zip"))
    assert message.startswith("part.zip is damaged: ")


def test_a_zip_bomb_is_refused_by_what_it_declares(
    written: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_text, "MAX_BYTES", 2**20)
    path = written(zipped({"Connections.csv": EXPORT + "\n" * 2**20}))
    assert "holds more than 1 MiB" in refusal(path)


def test_a_zip_bomb_that_declares_too_little_is_refused(written: Any) -> None:
    content = zipped({"Connections.csv": EXPORT + "\n" * 2**20})
    true, false = ((len(EXPORT.encode()) + n).to_bytes(4, "little") for n in (2**20, 0))
    assert "is damaged" in refusal(written(content.replace(true, false)))


def test_a_file_that_grows_beyond_the_bound_is_refused(
    written: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_text, "MAX_BYTES", 2**20)
    line = "x" * 1022 + "\r\n"
    path = written(EXPORT + line * 1000)
    reading = read_export(path)
    assert next(reading) == ADA_READ
    with path.open("a", newline="") as file:
        file.write(line * 1000)
    with pytest.raises(InvalidExport, match="holds more than 1 MiB"):
        list(reading)


# Files that are no export


@pytest.mark.parametrize(
    "content",
    [
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 999,
        b"Email Address,First Name,Last Name\nada@example.com,Ada,Okafor\n",
        b"\xff\xfe",
        b"\0" * 300_000,
        b"\n" * 250 + EXPORT.encode(),
        b"x" * 70_000 + b"\n" + EXPORT.encode(),
        ADA.encode(),
    ],
    ids=["PDF", "image", "Mailchimp", "BOM", "zeros", "lines", "chars", "headless"],
)
def test_another_file_is_refused_with_what_to_pass_instead(written: Any, content: bytes) -> None:
    assert refusal(written(content, "mine.csv")) == f"mine.csv {NO_EXPORT}"


@pytest.mark.parametrize("content", [b"", zipped({"Connections.csv": b""})])
def test_an_empty_file_is_refused(written: Any, content: bytes) -> None:
    assert refusal(written(content)) == "Connections.csv is empty: export it again."


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    assert refusal(tmp_path / "export") == (
        "export is not a file: pass the export itself, or the zip that it came in."
    )


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes")
def test_a_pipe_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe").startswith("pipe is not a file: ")


def test_a_missing_file_is_refused_without_telling_the_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone.csv") == "gone.csv does not exist: check the path."
    assert refusal(tmp_path / "gone.csv" / "x.csv") == "x.csv does not exist: check the path."


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "no"), "may not be read: allow this program to read it."),
        (OSError(5, "I/O error"), "cannot be read: copy it to a disk of this computer"),
    ],
)
def test_a_file_that_the_system_does_not_give_is_refused(
    written: Any, monkeypatch: pytest.MonkeyPatch, error: OSError, said: str
) -> None:
    path = written(EXPORT)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Path, "open", fail)
    assert f"Connections.csv {said}" in refusal(path)


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 5000, "\ud800.csv", "a\nb\x1b[31m"])
def test_a_path_of_any_form_is_refused_in_one_printable_line(name: str) -> None:
    message = refusal(Path(name))
    assert message.isprintable()
    assert len(message) < 400


# Arbitrary bytes


ANY_FILE = st.one_of(
    st.binary(),
    st.binary().map(lambda tail: EXPORT.encode() + tail),
    st.text('Ada,;\t"\r\n\0ß@.', max_size=300).map(lambda tail: (HEADER + tail).encode()),
    st.text().map(lambda text: (EXPORT + text).encode("utf-16", "surrogatepass")),
    st.binary().map(lambda tail: zipped({"Connections.csv": EXPORT.encode() + tail})),
)


def _ends_well(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with suppress(InvalidExport):
        assert all(isinstance(row, Contact | Skipped) for row in read_export(path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=ANY_FILE)
def test_any_bytes_end_in_rows_or_in_a_refusal(tmp_path: Path, content: bytes) -> None:
    _ends_well(tmp_path / "any", content)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flips=st.dictionaries(st.integers(0, 2**10), st.integers(0, 255), max_size=4), data=st.data()
)
def test_a_zip_with_any_bytes_changed_ends_in_rows_or_in_a_refusal(
    tmp_path: Path, flips: dict[int, int], data: st.DataObject
) -> None:
    content = bytearray(zipped({"a/Connections.csv": EXPORT}))
    for at, byte in flips.items():
        content[at % len(content)] = byte
    _ends_well(tmp_path / "any", bytes(content[: data.draw(st.integers(0, len(content)))]))
