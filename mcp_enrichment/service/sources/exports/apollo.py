"""Apollo's export of people, which has a company's profile beside the person's."""

from mcp_enrichment.service.sources.exports.column_map import (
    OTHER_EMAILS,
    ColumnMap,
    EmailColumn,
    signatures,
)

APOLLO = ColumnMap(
    name="apollo",
    signatures=signatures({"person linkedin url", "email"}),
    profiles=("person linkedin url",),
    emails=(
        EmailColumn("email", status="email status"),
        EmailColumn("secondary email", status="secondary email status"),
        EmailColumn("tertiary email", status="tertiary email status"),
        *OTHER_EMAILS,
    ),
    company=("company", "company name", "company name for emails"),
    changed_at=("primary email last verified at", "email last verified at"),
)
