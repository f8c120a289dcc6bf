"""The exports of address books."""

from __future__ import annotations

import quopri

from mcp_enrichment.contract.models import EmailType
from mcp_enrichment.service.sources.exports.records import SkipReason
from tests.support.exporters.people import Row, table, written

WORK, PERSONAL = EmailType.WORK, EmailType.PERSONAL


def google() -> tuple[bytes, list[Row]]:
    """Google Contacts: with labels, and several values in a cell."""

    def plain(row: Row) -> None:
        row.cells = {
            "First Name": row.first,
            "Last Name": row.last,
            "Labels": "* myContacts",
            "Organization Name": row.company,
            "Organization Title": "Owner",
            "E-mail 1 - Label": "* Work",
            "E-mail 1 - Value": row.has(row.mail()),
            "Website 1 - Label": "LinkedIn",
            "Website 1 - Value": row.url,
        }
        row.has_profile()

    def joined(row: Row) -> None:
        plain(row)
        sites = "https://harbour.example", row.url
        row.cells["Website 1 - Value"] = " ::: ".join(sites)
        row.cells["E-mail 2 - Label"] = "Home"
        both = row.has(row.mail("home.example"), PERSONAL), row.has(row.mail("b.example"), PERSONAL)
        row.cells["E-mail 2 - Value"] = " ::: ".join(both)

    def custom(row: Row) -> None:
        plain(row)
        row.cells |= {"Website 1 - Value": "https://harbour.example", "Notes": "line\nanother"}
        row.cells |= {"Custom Field 1 - Label": "LinkedIn", "Custom Field 1 - Value": row.url}

    def work_at_free_mail(row: Row) -> None:
        plain(row)
        row.emails = {}
        row.cells["E-mail 1 - Value"] = row.has(row.mail("freemail.example"), WORK)

    def telephone(row: Row) -> None:
        row.cells = {"First Name": row.first, "Phone 1 - Value": "+1 555 0100"}
        row.lacks(SkipReason.NO_EMAIL)

    def friend(row: Row) -> None:
        row.cells = {"First Name": row.first, "E-mail 1 - Value": row.mail("freemail.example")}
        row.lacks(SkipReason.NO_URL)

    rows = written(plain, [joined, custom, work_at_free_mail, telephone, friend])
    header = (
        "First Name,Middle Name,Last Name,Phonetic First Name,Phonetic Middle Name,"
        "Phonetic Last Name,Name Prefix,Name Suffix,Nickname,File As,Organization Name,"
        "Organization Title,Organization Department,Birthday,Notes,Photo,Labels,"
        "E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Label,E-mail 2 - Value,Phone 1 - Label,"
        "Phone 1 - Value,Website 1 - Label,Website 1 - Value,Custom Field 1 - Label,"
        "Custom Field 1 - Value"
    )
    return table(header, rows).encode(), rows


def outlook() -> tuple[bytes, list[Row]]:
    """Outlook: with the address of an Exchange server, which is valid only inside it."""

    def plain(row: Row) -> None:
        row.cells = {
            "Title": "Dr.",
            "First Name": row.first,
            "Last Name": row.last,
            "Company": row.company,
            "Job Title": "Owner",
            "Web Page": row.url,
            "E-mail Address": row.has(row.mail()),
            "E-mail Type": "SMTP",
        }
        row.has_profile()

    def two(row: Row) -> None:
        plain(row)
        row.cells["E-mail 2 Address"] = row.has(row.mail("freemail.example"), PERSONAL)

    def exchange(row: Row) -> None:
        plain(row)
        row.cells |= {"E-mail 2 Address": "/o=ExchangeLabs/ou=Exchange/cn=Recipients/cn=p"}
        row.lacks(SkipReason.BAD_EMAIL)

    def other_site(row: Row) -> None:
        plain(row)
        row.cells["Web Page"], row.profile = "https://harbour.example", None
        row.lacks(SkipReason.NO_URL)

    rows = written(plain, [two, exchange, other_site])
    header = (
        "Title,First Name,Middle Name,Last Name,Suffix,Company,Department,Job Title,"
        "Business Street,Business City,Business State,Business Postal Code,"
        "Business Country/Region,Home Street,Home City,Assistant's Phone,Business Fax,"
        "Business Phone,Home Phone,Mobile Phone,Primary Phone,Account,Anniversary,"
        "Assistant's Name,Birthday,Categories,E-mail Address,E-mail Type,E-mail Display Name,"
        "E-mail 2 Address,E-mail 2 Type,E-mail 2 Display Name,E-mail 3 Address,E-mail 3 Type,"
        "E-mail 3 Display Name,Gender,Hobby,Initials,Keywords,Language,Location,Manager's Name,"
        "Notes,Office Location,Priority,Private,Profession,Referred By,Sensitivity,Spouse,User 1,"
        "Personal Web Page,Web Page"
    )
    return table(header, rows, quoted=True).encode("cp1252"), rows


def vcard_3() -> tuple[bytes, list[Row]]:
    """vCard 3 as Apple writes it, and between them cards of version 2.1 as phones write them."""

    def plain(row: Row) -> None:
        row.cells["card"] = _card(
            row,
            f"EMAIL;type=INTERNET;type=WORK;type=pref:{row.has(row.mail())}",
            f"X-SOCIALPROFILE;type=linkedin;x-user={row.slug}:{row.url}",
        )
        row.has_profile()

    def grouped(row: Row) -> None:
        long = row.has(f"{'x' * 50}.{row.mail('home.example')}", PERSONAL)
        row.cells["card"] = _card(
            row,
            *(f"item1.EMAIL;type=INTERNET:{long[:40]}", f" {long[40:]}"),
            "item1.X-ABLabel:_$!<Home>!$_",
            *(f"item2.URL;type=pref:{row.url}", "item2.X-ABLabel:LinkedIn"),
            "PHOTO;ENCODING=b;TYPE=JPEG:" + "A" * 60,
            *(f" {'A' * 72}" for _ in range(30)),
        )
        row.has_profile()

    def old(row: Row) -> None:
        name = f"{row.last};{row.first}".encode()
        softly = quopri.encodestring(name + b";" * 80).decode().replace("\n", "\r\n")
        lines = (
            *("BEGIN:VCARD", "VERSION:2.1"),
            f"N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:{softly}",
            f"EMAIL;HOME:{row.has(row.mail('home.example'), PERSONAL)}",
            *(f"ORG:{row.company};Sales", f"URL:{row.url}", "END:VCARD"),
        )
        row.cells["card"] = "\r\n".join(lines)
        row.has_profile()

    def telephone(row: Row) -> None:
        row.cells["card"] = _card(row, "TEL;type=CELL:+1 555 0100")
        row.lacks(SkipReason.NO_EMAIL)

    def cut_off(row: Row) -> None:
        row.cells["card"] = _card(row).removesuffix("\r\nEND:VCARD")
        row.lacks(SkipReason.UNREADABLE)

    return _cards(written(plain, [grouped, old, telephone, cut_off]))


def vcard_4() -> tuple[bytes, list[Row]]:
    """vCard 4: with the property that RFC 9554 has for profiles."""

    def plain(row: Row) -> None:
        row.cells["card"] = _card(
            row,
            f"EMAIL;TYPE=home:{row.has(row.mail('home.example'), PERSONAL)}",
            f'EMAIL;TYPE="work";PREF=1:{row.has(row.mail())}',
            f'SOCIALPROFILE;SERVICE-TYPE="LinkedIn";PREF=1:{row.url}',
            "REV:20260305T102000Z",
            version="4.0",
        )
        row.has_profile()

    def by_user_name(row: Row) -> None:
        row.cells["card"] = _card(
            row,
            f"EMAIL:{row.has(row.mail())}",
            f"SOCIALPROFILE;SERVICE-TYPE=LinkedIn;VALUE=text:{row.slug}",
            version="4.0",
        )
        row.has_profile()

    return _cards(written(plain, [by_user_name]))


def _card(row: Row, *lines: str, version: str = "3.0") -> str:
    head = ("BEGIN:VCARD", f"VERSION:{version}", f"N:{row.last};{row.first};;;")
    company = row.company.replace(",", r"\,")
    said = (f"FN:{row.first} {row.last}", f"ORG:{company};Sales", "TITLE:Owner")
    return "\r\n".join((*head, *said, *lines, "END:VCARD"))


def _cards(rows: list[Row]) -> tuple[bytes, list[Row]]:
    return "".join(f"{row.cells['card']}\r\n" for row in rows).encode(), rows
