"""Apollo's export of people, which has a company's profile beside the person's."""

from mcp_enrichment.service.sources.exports.format import OTHER_EMAILS, EmailColumn, Format, marks

APOLLO = Format(
    name="apollo",
    marks=marks({"person linkedin url", "email"}),
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
