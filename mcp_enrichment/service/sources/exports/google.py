"""Google Contacts' CSV, of today and of before 2024."""

from mcp_enrichment.service.sources.exports.column_map import ColumnMap, EmailColumn, signatures

_MOST = range(1, 31)
"""A file has as many of each column as its fullest contact needs."""

GOOGLE = ColumnMap(
    name="google-contacts",
    signatures=signatures(
        {"e-mail 1 - label", "e-mail 1 - value"},
        {"e-mail 1 - type", "e-mail 1 - value"},
        {"phonetic first name", "file as", "labels"},
        {"given name", "family name", "group membership"},
    ),
    profiles=(),
    websites=(
        *(f"website {number} - value" for number in _MOST),
        *(f"custom field {number} - value" for number in _MOST),
    ),
    emails=tuple(
        EmailColumn(f"e-mail {n} - value", labels=(f"e-mail {n} - label", f"e-mail {n} - type"))
        for n in _MOST
    ),
    first_name=("first name", "given name"),
    last_name=("last name", "family name"),
    company=("organization name", "organization 1 - name"),
    position=("organization title", "organization 1 - title"),
)
