"""Outlook's CSV of contacts, from the program or from outlook.com, in English or German."""

from mcp_enrichment.service.sources.exports.column_map import (
    PROFILES,
    ColumnMap,
    EmailColumn,
    signatures,
)

OUTLOOK = ColumnMap(
    name="outlook",
    signatures=signatures(
        {"first name", "last name", "e-mail address", "e-mail 2 address"},
        {"vorname", "nachname", "e-mail-adresse", "e-mail 2: adresse"},
    ),
    profiles=PROFILES,
    websites=("web page", "personal web page", "business web page", "webseite", "website"),
    emails=(
        EmailColumn("e-mail address"),
        EmailColumn("e-mail 2 address"),
        EmailColumn("e-mail 3 address"),
        EmailColumn("e-mail-adresse"),
        EmailColumn("e-mail 2: adresse"),
        EmailColumn("e-mail 3: adresse"),
    ),
    first_name=("first name", "vorname"),
    last_name=("last name", "nachname"),
    company=("company", "firma"),
    # Its `Title` is what stands before a name.
    position=("job title", "position"),
)
