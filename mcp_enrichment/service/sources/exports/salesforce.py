"""Salesforce's contacts and leads: exported with API names, or as a report with labels."""

from mcp_enrichment.service.sources.exports.column_map import (
    OTHER_EMAILS,
    PERSONAL,
    PROFILES,
    WORK,
    ColumnMap,
    EmailColumn,
    signatures,
)

SALESFORCE = ColumnMap(
    name="salesforce",
    signatures=signatures(
        {"id", "firstname", "lastname", "email"},
        {"accountid", "lastname", "email"},
        {"contact id", "last name", "email"},
        {"lead id", "last name", "email"},
        {"lead owner", "last name", "email"},
        {"contact owner", "last name", "email"},
        {"company / account", "last name", "email"},
        {"account name", "last name", "email"},
    ),
    profiles=PROFILES,
    websites=("website",),
    emails=(
        EmailColumn("email"),
        EmailColumn("npe01__workemail__c", WORK),
        EmailColumn("work_email__c", WORK),
        EmailColumn("npe01__homeemail__c", PERSONAL),
        EmailColumn("personal_email__c", PERSONAL),
        EmailColumn("npe01__alternateemail__c"),
        EmailColumn("secondary email"),
        *OTHER_EMAILS,
    ),
    company=("account.name", "account name", "company", "company / account"),
    changed_at=("lastmodifieddate", "last modified date"),
)
