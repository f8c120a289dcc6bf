"""HubSpot's export of contacts, by the names of its properties or by their labels."""

from mcp_enrichment.service.sources.exports.column_map import (
    OTHER_EMAILS,
    PROFILES,
    ColumnMap,
    EmailColumn,
    signatures,
)

HUBSPOT = ColumnMap(
    name="hubspot",
    signatures=signatures(
        {"record id", "email"},
        {"record id - contact", "email"},
        {"contact id", "email", "lifecycle stage"},
        {"hs_object_id", "email"},
        {"hs_linkedin_url", "email"},
    ),
    profiles=PROFILES,
    websites=("website url", "website"),
    emails=(
        EmailColumn("email"),
        EmailColumn("additional email addresses"),
        EmailColumn("hs_additional_emails"),
        EmailColumn("secondary email"),
        *OTHER_EMAILS,
    ),
    company=("company name", "company", "associated company", "primary associated company"),
    position=("job title", "jobtitle"),
    changed_at=("last modified date", "lastmodifieddate"),
)
