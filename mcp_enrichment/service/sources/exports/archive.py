"""Which file of a zip is the export, and whether it can be unpacked within bounds."""

from __future__ import annotations

import re
import zipfile
from typing import TYPE_CHECKING

from mcp_enrichment.service.sources.exports.contact import ExportRefused

if TYPE_CHECKING:
    from pathlib import Path

_WANTED = "connections.csv"
_NOT_LINKEDIN_S = "__MACOSX"
_OFFICE_MARK = "[Content_Types].xml"
_ENCRYPTED = 0x1
# The other methods of packing do not limit what one read may unpack to.
_BOUNDED_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UNPACK = "unpack it and pass the Connections.csv in it"


def member_of(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    """The Connections.csv that lies least deep. Raises `ExportRefused`; `path` is for its words."""
    found = [info for info in archive.infolist() if _is_wanted(info.filename)]
    if not found:
        raise _without_export(archive, path)
    member = min(found, key=lambda info: info.filename.count("/"))
    if member.flag_bits & _ENCRYPTED:
        raise ExportRefused.because(path, "is protected by a password", _UNPACK)
    if member.compress_type not in _BOUNDED_METHODS:
        raise ExportRefused.because(path, "is packed in a way that is not supported", _UNPACK)
    return member


def _is_wanted(filename: str) -> bool:
    *folders, name = re.split(r"[/\\]", filename)
    return name.casefold() == _WANTED and _NOT_LINKEDIN_S not in folders


def _without_export(archive: zipfile.ZipFile, path: Path) -> ExportRefused:
    if _OFFICE_MARK in archive.namelist():
        return ExportRefused.because(path, "is an Office document", "save it as CSV in UTF-8 there")
    return ExportRefused.because(path, "holds no Connections.csv")
