"""Which file of a zip is the export, and whether it can be unpacked within bounds."""

from __future__ import annotations

import re
import zipfile
from typing import TYPE_CHECKING

from mcp_enrichment.service.sources.exports.records import InvalidExport

if TYPE_CHECKING:
    from pathlib import Path

_CONNECTIONS_CSV = "connections.csv"
_EXPORTS = (".csv", ".vcf")
_MACOS_FOLDER = "__MACOSX"
_OFFICE_MARK = "[Content_Types].xml"
_ENCRYPTED = 0x1
# The other methods of packing do not limit what one read may unpack to.
_BOUNDED_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UNPACK = "unpack it and pass the export in it"


def find_export_member(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    """LinkedIn's Connections.csv that lies least deep, or else the only table or vCard.

    Raises `InvalidExport`; `path` is for its words.
    """
    found = [info for info in archive.infolist() if _is_export(info.filename)]
    if not found:
        raise _without_export(archive, path)
    member = min(found, key=lambda info: (not _is_connections_csv(info), info.filename.count("/")))
    if len(found) > 1 and not _is_connections_csv(member):
        raise InvalidExport.because(path, "holds several tables", _UNPACK)
    if member.flag_bits & _ENCRYPTED:
        raise InvalidExport.because(path, "is protected by a password", _UNPACK)
    if member.compress_type not in _BOUNDED_METHODS:
        raise InvalidExport.because(path, "is packed in a way that is not supported", _UNPACK)
    return member


def _is_export(filename: str) -> bool:
    *folders, name = re.split(r"[/\\]", filename)
    return name.casefold().endswith(_EXPORTS) and _MACOS_FOLDER not in folders


def _is_connections_csv(info: zipfile.ZipInfo) -> bool:
    return re.split(r"[/\\]", info.filename)[-1].casefold() == _CONNECTIONS_CSV


def _without_export(archive: zipfile.ZipFile, path: Path) -> InvalidExport:
    if _OFFICE_MARK in archive.namelist():
        return InvalidExport.because(path, "is an Office document", "save it as CSV in UTF-8 there")
    return InvalidExport.because(path, "holds neither a CSV file nor a vCard", _UNPACK)
