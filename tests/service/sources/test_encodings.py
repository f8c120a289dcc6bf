"""Text in any encoding is read correctly, or the cause is reported."""

from __future__ import annotations

import quopri
from typing import TYPE_CHECKING, Any

import pytest

from mcp_enrichment.service.sources.exports.formats import parse_column_map
from mcp_enrichment.service.sources.exports.open_export import open_export
from mcp_enrichment.service.sources.exports.records import Contact, InvalidExport
from tests.support.exports import ADA_READ, EXPORT, rows

if TYPE_CHECKING:
    from pathlib import Path

PROFILE = "https://www.linkedin.com/in/ada-example"
NAMES = [
    ("windows-1251", "Иванова"),
    ("WINDOWS-1251", "Ёлкина"),
    ("KOI8-R", "Иванова"),
    ("windows-1250", "Dvořáková"),
    ("ISO-8859-2", "Łukasiewicz"),
    ("ISO-8859-15", "Œuvrard€"),
    ("ISO-8859-1", "Änne Weiß"),
    ("iso-8859-1", "d’Arcy"),  # noqa: RUF001  # as Windows writes it under that name
    ("windows-1253", "Παπαδοπούλου"),
    ("windows-1254", "Y\u0131ld\u0131z"),
    ("windows-1255", "כהן"),
    ("SHIFT_JIS", "表山ソ子"),  # its second bytes are backslashes
    ("Shift_JIS", "髙橋①"),  # only in Windows' variant of this encoding
    ("EUC-JP", "山田"),
    ("ISO-2022-JP", "山田"),
    ("GBK", "张伟"),
    ("GB2312", "張偉"),  # only in the larger character set
    ("gb18030", "张伟"),
    ("BIG5", "許功蓋"),  # its second bytes are backslashes
    ("EUC-KR", "김민준"),
    ("MACINTOSH", "Zoë"),
    ("TIS-620", "สมชาย"),
    ("UTF-8", "Ńowak"),
]
PYTHONS = {"MACINTOSH": "mac_roman", "TIS-620": "cp874", "GB2312": "gbk", "Shift_JIS": "cp932"}


def one(path: Path) -> Contact:
    [contact] = rows(path)
    assert isinstance(contact, Contact)
    return contact


def card(name: bytes, parameters: str, after: bytes = b"") -> bytes:
    text = f"BEGIN:VCARD\r\nVERSION:2.1\r\nEMAIL:ada@work.example\r\nURL:{PROFILE}\r\n"
    return text.encode() + f"N;{parameters}:".encode() + name + b";Ada\r\n" + after + b"END:VCARD"


def encoded(charset: str, name: str) -> bytes:
    if charset == "iso-8859-1":
        return name.encode("cp1252")
    return name.encode(PYTHONS.get(charset, charset))


@pytest.mark.parametrize(("charset", "name"), NAMES)
def test_a_name_is_decoded_by_the_charset_that_its_line_names(
    written: Any, charset: str, name: str
) -> None:
    contact = one(written(card(encoded(charset, name), f"CHARSET={charset}")))
    assert (contact.first_name, contact.last_name) == ("Ada", name)
    assert contact.profile == PROFILE


@pytest.mark.parametrize(("charset", "name"), NAMES)
def test_a_name_in_quoted_printable_is_decoded_by_its_charset(
    written: Any, charset: str, name: str
) -> None:
    soft = quopri.encodestring(encoded(charset, name)).strip()
    parameters = f"ENCODING=QUOTED-PRINTABLE;CHARSET={charset}"
    assert one(written(card(soft, parameters))).last_name == name


def test_each_line_has_a_charset_of_its_own(written: Any) -> None:
    after = b"ORG;CHARSET=KOI8-R:" + "Гавань".encode("koi8-r") + b"\r\n"
    contact = one(written(card("Иванова".encode("cp1251"), "CHARSET=windows-1251", after)))
    assert (contact.last_name, contact.company) == ("Иванова", "Гавань")


@pytest.mark.parametrize(
    "charset", ["windows-1251", "UTF-16", "rot13", "idna", "no-such", "", "\x00"]
)
def test_text_in_utf_8_is_read_as_that_whatever_is_named(written: Any, charset: str) -> None:
    content = card("Иванова".encode(), f"CHARSET={charset}")
    assert one(written(content)).last_name == "Иванова"


@pytest.mark.parametrize("charset", ["UTF-16", "rot13", "no-such", ""])
def test_bytes_under_a_charset_that_they_cannot_be_in_are_read_as_windows_1252(
    written: Any, charset: str
) -> None:
    assert one(written(card(b"Wei\xdf", f"CHARSET={charset}"))).last_name == "Weiß"


def test_a_character_that_was_folded_in_two_is_whole(written: Any) -> None:
    folded = "Weiß".encode()[:4] + b"\r\n " + "Weiß".encode()[4:]
    assert one(written(card(folded, "X-A=1"))).last_name == "Weiß"


WIDE = ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-16", "utf-32"]


@pytest.mark.parametrize("encoding", WIDE)
def test_wide_characters_are_read_with_or_without_a_mark(written: Any, encoding: str) -> None:
    assert rows(written(EXPORT.encode(encoding))) == [ADA_READ]
    text = card(b"Weiss", "X-A=1").decode().replace("Weiss", "Иванова")
    assert one(written(text.encode(encoding))).last_name == "Иванова"


def test_a_zero_that_strays_into_a_file_costs_nothing_else(written: Any) -> None:
    assert rows(written(EXPORT.replace("Ada", "A\0da"))) == [ADA_READ]


def test_titles_that_are_not_in_utf_8_are_reported_as_the_cause(written: Any) -> None:
    path = written("Профиль;Почта\nlinkedin.com/in/ada-example;a@b.example\n".encode("cp1251"))
    columns = parse_column_map(["url=Профиль,email=Почта"])
    with pytest.raises(InvalidExport) as refused, open_export(path, columns=columns):
        pass
    assert str(refused.value) == (
        "Connections.csv is not in UTF-8, nor are its titles: save it again as CSV in UTF-8."
    )


def test_titles_that_a_file_in_utf_8_lacks_are_reported_as_before(written: Any) -> None:
    path = written("Профиль;Почта\n")
    columns = parse_column_map(["email=E-Mail"])
    with pytest.raises(InvalidExport, match="has no header with those columns"):
        open_export(path, columns=columns).__enter__()
