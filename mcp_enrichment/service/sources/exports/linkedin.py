"""LinkedIn's Connections.csv, as downloaded, unpacked or saved again by Excel."""

from mcp_enrichment.service.sources.exports.format import EmailColumn, Format, marks

# Older exports have no URL, and people delete other columns.
LINKEDIN = Format(
    name="linkedin",
    marks=marks(
        {"first name", "email address", "connected on"},
        {"vorname", "e-mail-adresse", "verbunden am"},
    ),
    profiles=("url",),
    emails=(EmailColumn("email address"), EmailColumn("e-mail-adresse")),
    first_name=("first name", "vorname"),
    last_name=("last name", "nachname"),
    full_name=(),
    company=("company", "unternehmen"),
    position=("position",),
    connected_on=("connected on", "verbunden am"),
)
