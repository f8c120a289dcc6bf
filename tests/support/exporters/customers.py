"""The exports of LinkedIn and CRM programs."""

from __future__ import annotations

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.sources.exports.records import SkipReason
from tests.support.exporters.people import Row, table, written

PERSONAL = EmailType.PERSONAL
SALES_NAVIGATOR = "https://www.linkedin.com/sales/lead/ACwAAAexample,NAME_SEARCH,abcd"
COMPANY = "https://www.linkedin.com/company/harbour-example"


def linkedin() -> tuple[bytes, list[Row]]:
    """LinkedIn: with notes above the table, a byte order mark, and empty rows."""

    def plain(row: Row) -> None:
        row.cells = {
            "First Name": row.first,
            "Last Name": row.last,
            "URL": row.url,
            "Email Address": row.has(row.mail()),
            "Company": row.company,
            "Position": "Head of Tests",
            "Connected On": f"{row.number % 28 + 1:02} Mar 2024",
        }
        row.has_profile()

    def silent(row: Row) -> None:
        row.cells = {"First Name": row.first, "URL": row.url, "Connected On": "05 Mar 2024"}
        row.lacks(SkipReason.NO_EMAIL)

    def empty(row: Row) -> None:
        row.lacks(SkipReason.EMPTY_ROW)

    def gone(row: Row) -> None:
        row.cells = {"First Name": row.first, "Email Address": row.mail("freemail.example")}
        row.lacks(SkipReason.NO_URL)

    rows = written(plain, [silent, silent, silent, silent, empty, gone])
    header = "First Name,Last Name,URL,Email Address,Company,Position,Connected On"
    notes = (
        'Notes:\r\n"When exporting your connection data, you may notice that some are missing"\r\n'
    )
    return f"{notes}\r\n{table(header, rows)}".encode("utf-8-sig"), rows


def hubspot() -> tuple[bytes, list[Row]]:
    """HubSpot: with its own property for the profile, and several addresses in a cell."""

    def plain(row: Row) -> None:
        row.cells = {
            "Record ID": f"{9000 + row.number}",
            "First Name": row.first,
            "Last Name": row.last,
            "Email": row.has(row.mail()),
            "LinkedIn URL": row.url,
            "Job Title": "CTO",
            "Associated Company": row.company,
            "Last Modified Date": "2026-03-05 10:20",
        }
        row.has_profile()

    def several(row: Row) -> None:
        plain(row)
        more = row.has(f"a{row.mail()}"), row.has(row.mail("freemail.example"), PERSONAL)
        row.cells["Additional email addresses"] = ";".join(more)
        row.cells["Work email"] = row.mail()

    def own_property(row: Row) -> None:
        plain(row)
        row.cells |= {"LinkedIn URL": "", "Prospect LinkedIn Link": f"{row.url}/?trk=x"}

    def navigator(row: Row) -> None:
        plain(row)
        row.cells["LinkedIn URL"], row.profile = SALES_NAVIGATOR, None
        row.lacks(SkipReason.SALES_NAVIGATOR)

    def rescued(row: Row) -> None:
        plain(row)
        row.cells |= {"LinkedIn URL": SALES_NAVIGATOR, "Prospect LinkedIn Link": row.url}

    def company(row: Row) -> None:
        plain(row)
        row.cells |= {"LinkedIn URL": COMPANY, "Email": row.mail("freemail.example")}
        row.emails, row.profile = {}, None
        row.lacks(SkipReason.NOT_A_PERSON)

    rows = written(plain, [several, own_property, navigator, rescued, company])
    header = (
        "Record ID,First Name,Last Name,Email,Phone Number,Contact owner,Last Activity Date,"
        "Lead Status,Marketing contact status,Create Date,Last Modified Date,Job Title,"
        "Website URL,LinkedIn URL,LinkedIn Connections,Prospect LinkedIn Link,"
        "LinkedIn Company Page,Work email,Additional email addresses,Associated Company,"
        "Associated Company IDs"
    )
    return table(header, rows, quoted=True).encode(), rows


def salesforce() -> tuple[bytes, list[Row]]:
    """Salesforce: with the names of its fields, in the encoding of old Windows."""

    def plain(row: Row) -> None:
        row.cells = {
            "Id": f"003{row.number:015}",
            "FirstName": row.first,
            "LastName": row.last,
            "Email": row.has(row.mail()),
            "LinkedIn_Profile__c": row.url,
            "Title": "CFO",
            "Account.Name": row.company,
            "LastModifiedDate": "2026-03-05T10:20:00.000Z",
        }
        row.has_profile()

    def at_home(row: Row) -> None:
        plain(row)
        row.cells["npe01__HomeEmail__c"] = row.has(row.mail("home.example"), PERSONAL)

    def bare(row: Row) -> None:
        plain(row)
        row.cells["LinkedIn_Profile__c"] = f"linkedin.com/in/{row.slug.upper()}/"

    def nonsense(row: Row) -> None:
        plain(row)
        row.cells["Email"], row.emails, row.profile = "n/a", {}, None
        row.lacks(SkipReason.BAD_EMAIL)

    def without(row: Row) -> None:
        plain(row)
        row.cells["LinkedIn_Profile__c"], row.profile = "", None
        row.lacks(SkipReason.NO_URL)

    rows = written(plain, [at_home, bare, nonsense, without])
    header = (
        "Id,IsDeleted,MasterRecordId,AccountId,Account.Name,LastName,FirstName,Salutation,"
        "MailingStreet,MailingCity,MailingState,MailingPostalCode,MailingCountry,Phone,Fax,"
        "MobilePhone,HomePhone,ReportsToId,Email,npe01__HomeEmail__c,Title,Department,LeadSource,"
        "Birthdate,Description,OwnerId,CreatedDate,CreatedById,LastModifiedDate,LastModifiedById,"
        "SystemModstamp,LinkedIn_Profile__c,LinkedIn_Company_Page__c"
    )
    return table(header, rows, quoted=True).encode("cp1252"), rows


def apollo() -> tuple[bytes, list[Row]]:
    """Apollo: with the company's profile beside the person's, guesses and masks."""

    def plain(row: Row) -> None:
        row.cells = {
            "First Name": row.first,
            "Last Name": row.last,
            "Title": "CEO",
            "Company Name": row.company,
            "Email": row.has(row.mail()),
            "Email Status": "Verified",
            "Person Linkedin Url": row.url,
            "Company Linkedin Url": COMPANY,
        }
        row.has_profile()

    def guessed(row: Row) -> None:
        plain(row)
        row.cells["Email Status"], row.emails, row.profile = "Extrapolated", {}, None
        row.lacks(SkipReason.GUESSED)

    def masked(row: Row) -> None:
        plain(row)
        row.cells["Email"] = "email_not_unlocked@domain.com"
        row.emails, row.profile = {}, None
        row.lacks(SkipReason.MASKED)

    def second(row: Row) -> None:
        plain(row)
        row.cells["Secondary Email"] = row.has(row.mail("freemail.example"), PERSONAL)

    def partly(row: Row) -> None:
        plain(row)
        row.cells |= {"Secondary Email": "x@guess.example", "Secondary Email Status": "Guessed"}
        row.lacks(SkipReason.GUESSED)

    def of_the_company_alone(row: Row) -> None:
        plain(row)
        row.cells["Person Linkedin Url"], row.profile = "", None
        row.lacks(SkipReason.NO_URL)

    rows = written(plain, [guessed, masked, second, partly, of_the_company_alone])
    header = (
        "First Name,Last Name,Title,Company Name,Company Name for Emails,Email,Email Status,"
        "Primary Email Source,Primary Email Verification Source,Email Confidence,"
        "Primary Email Catch-all Status,Primary Email Last Verified At,Seniority,Departments,"
        "Contact Owner,Work Direct Phone,Home Phone,Mobile Phone,Corporate Phone,Other Phone,Stage,"
        "Lists,Last Contacted,Account Owner,# Employees,Industry,Keywords,Person Linkedin Url,"
        "Website,Company Linkedin Url,Facebook Url,Twitter Url,City,State,Country,Company Address,"
        "Technologies,Annual Revenue,Email Sent,Email Open,Email Bounced,Replied,Demoed,"
        "Apollo Contact Id,Apollo Account Id,Secondary Email,Secondary Email Source,"
        "Secondary Email Status,Tertiary Email,Tertiary Email Source,Tertiary Email Status"
    )
    return table(header, rows).encode(), rows
