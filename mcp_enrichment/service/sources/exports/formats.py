"""The columns of tables: those of known programs, and those that a user names."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from mcp_enrichment.contract.models import EmailType

if TYPE_CHECKING:
    from collections.abc import Iterable


Titles = tuple[str, ...]
"""Folded titles of columns. For a single value, the first one that a file has counts."""


def fold_title(title: str) -> str:
    """A title in lower case with single spaces, for comparison."""
    return " ".join(title.split()).casefold()


class EmailColumn(NamedTuple):
    title: str
    email_type: EmailType | None = None
    """The type of its addresses, by its title."""
    labels: Titles = ()
    """The titles of the column with the type of each address."""
    status: str = ""
    """The title of the column that marks guessed addresses."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnMap:
    """The columns of one program's table. All titles are folded."""

    name: str
    """The source of each contact."""
    signatures: tuple[frozenset[str], ...]
    """A header with all titles of any of these sets is of this format."""
    emails: tuple[EmailColumn, ...]
    profiles: Titles
    """Columns of profile URLs. Any other value in them is reported."""
    websites: Titles = ()
    """Columns of sites, which may include the profile URL."""
    first_name: Titles = ("first name", "firstname")
    last_name: Titles = ("last name", "lastname")
    full_name: Titles = ("name", "full name")
    company: Titles = ("company",)
    position: Titles = ("title", "job title")
    connected_on: Titles = ()
    changed_at: Titles = ()
    """The time of the last change of the row, or of the last verification of its address."""


def _titles(text: str) -> Titles:
    return tuple(title.strip() for title in text.split(","))


def _signatures(*texts: str) -> tuple[frozenset[str], ...]:
    """Sets of titles, each of which identifies a format."""
    return tuple(frozenset(_titles(text)) for text in texts)


def _emails(text: str, email_type: EmailType | None = None) -> tuple[EmailColumn, ...]:
    return tuple(EmailColumn(title, email_type) for title in _titles(text))


WORK, PERSONAL = EmailType.WORK, EmailType.PERSONAL
OTHER_EMAILS = (
    *_emails("work email, work_email, business email", WORK),
    *_emails("personal email, personal_email", PERSONAL),
    *_emails("primary email, alternate email, other email"),
)
"""Columns of addresses that people and programs add to a program's own."""
PROFILES = _titles(
    "linkedin url, linkedin profile url, linkedin profile, linkedin, hs_linkedin_url, "
    "linkedin_personal_url, linkedin contact profile url, linkedin_profile__c, linkedin_url__c, "
    "linkedin__c, contact linkedin url, linkedin_profile__pc, linkedin_url__pc, linkedin__pc, "
    "primary linkedin, person linkedin url, linkedin_url, linkedinurl, linkedinprofileurl, "
    "profile url, profileurl"
)
"""Columns that people and programs add for the profile URL, without those of other URLs (`Company
Linkedin Url`)."""

_EMAIL_TITLES = _titles(
    "email address, emailaddress, e-mail-adresse, adresse e-mail, adresse email, "
    "dirección de correo electrónico, correo electrónico, indirizzo e-mail, indirizzo email, "
    "endereço de e-mail, endereço de email, e-mailadres"
)
_FIRST_NAMES = _titles("first name, firstname, vorname, prénom, nombre, nome, voornaam")
_CONNECTED_ON = _titles(
    "connected on, connectedon, verbunden am, date de connexion, connecté le, conectado el, "
    "fecha de conexión, collegato il, data di collegamento, conectado em, conectou-se em, "
    "connectie gemaakt op"
)

LINKEDIN = ColumnMap(
    name="linkedin",
    signatures=tuple(map(frozenset, product(_FIRST_NAMES, _EMAIL_TITLES, _CONNECTED_ON))),
    profiles=("url",),
    emails=tuple(map(EmailColumn, _EMAIL_TITLES)),
    first_name=_FIRST_NAMES,
    last_name=_titles(
        "last name, lastname, nachname, nom, apellidos, apellido, cognome, sobrenome, apelido, "
        "achternaam"
    ),
    full_name=(),
    company=_titles("company, unternehmen, entreprise, empresa, azienda, bedrijf"),
    position=_titles("position, poste, cargo, posición, puesto, posizione, functie"),
    connected_on=_CONNECTED_ON,
)
"""LinkedIn's Connections.csv, as downloaded, unpacked or saved by Excel. Older files have no URL,
and people delete columns, so three titles identify it in any language."""


APOLLO = ColumnMap(
    name="apollo",
    signatures=_signatures("person linkedin url, email"),
    profiles=("person linkedin url",),
    emails=(
        EmailColumn("email", status="email status"),
        EmailColumn("secondary email", status="secondary email status"),
        EmailColumn("tertiary email", status="tertiary email status"),
        *OTHER_EMAILS,
    ),
    company=_titles("company, company name, company name for emails"),
    changed_at=_titles("primary email last verified at, email last verified at"),
)
"""Apollo's export of people, which has the profile of the company as well."""


_MOST = range(1, 31)
"""A file has as many of these columns as one contact needs."""

GOOGLE = ColumnMap(
    name="google-contacts",
    signatures=_signatures(
        "e-mail 1 - label, e-mail 1 - value",
        "e-mail 1 - type, e-mail 1 - value",
        "phonetic first name, file as, labels",
        "given name, family name, group membership",
    ),
    profiles=(),
    websites=tuple(f"{kind} {n} - value" for kind in ("website", "custom field") for n in _MOST),
    emails=tuple(
        EmailColumn(f"e-mail {n} - value", labels=(f"e-mail {n} - label", f"e-mail {n} - type"))
        for n in _MOST
    ),
    first_name=_titles("first name, given name"),
    last_name=_titles("last name, family name"),
    company=_titles("organization name, organization 1 - name"),
    position=_titles("organization title, organization 1 - title"),
)
"""Google Contacts' CSV, current and before 2024."""


OUTLOOK = ColumnMap(
    name="outlook",
    signatures=_signatures(
        "first name, last name, e-mail address, e-mail 2 address",
        "vorname, nachname, e-mail-adresse, e-mail 2: adresse",
    ),
    profiles=PROFILES,
    websites=_titles("web page, personal web page, business web page, webseite, website"),
    emails=_emails(
        "e-mail address, e-mail 2 address, e-mail 3 address, "
        "e-mail-adresse, e-mail 2: adresse, e-mail 3: adresse"
    ),
    first_name=_titles("first name, vorname"),
    last_name=_titles("last name, nachname"),
    company=_titles("company, firma"),
    # Its `Title` is the form of address.
    position=_titles("job title, position"),
)
"""Outlook's CSV of contacts, of the program or outlook.com, in English or German."""


HUBSPOT = ColumnMap(
    name="hubspot",
    signatures=_signatures(
        "record id, email",
        "record id - contact, email",
        "contact id, email, lifecycle stage",
        "hs_object_id, email",
        "hs_linkedin_url, email",
    ),
    profiles=PROFILES,
    websites=_titles("website url, website"),
    emails=(
        *_emails("email, additional email addresses, hs_additional_emails, secondary email"),
        *OTHER_EMAILS,
    ),
    company=_titles("company name, company, associated company, primary associated company"),
    position=_titles("job title, jobtitle"),
    changed_at=_titles("last modified date, lastmodifieddate"),
)
"""HubSpot's export of contacts, by property names or labels."""


SALESFORCE = ColumnMap(
    name="salesforce",
    signatures=_signatures(
        "id, firstname, lastname, email",
        "accountid, lastname, email",
        "contact id, last name, email",
        "lead id, last name, email",
        "lead owner, last name, email",
        "contact owner, last name, email",
        "company / account, last name, email",
        "account name, last name, email",
    ),
    profiles=PROFILES,
    websites=("website",),
    emails=(
        *_emails("email"),
        *_emails("npe01__workemail__c, work_email__c", WORK),
        *_emails("npe01__homeemail__c, personal_email__c", PERSONAL),
        *_emails("npe01__alternateemail__c, secondary email"),
        *OTHER_EMAILS,
    ),
    company=_titles("account.name, account name, company, company / account"),
    changed_at=_titles("lastmodifieddate, last modified date"),
)
"""Salesforce's contacts and leads: exported with API names, or as a report with labels."""


FORMATS = (LINKEDIN, APOLLO, GOOGLE, OUTLOOK, HUBSPOT, SALESFORCE)
"""In the order in which they are tried: the most specific header first."""


_EMAIL_FIELDS = {"email": None, "work_email": WORK, "personal_email": PERSONAL}
FIELDS = (
    *("url", *_EMAIL_FIELDS),
    *("first_name", "last_name", "name", "company", "position", "date"),
)
"""The fields that a column can be mapped to."""


class InvalidColumnMap(ValueError):
    """The mapping is invalid. The message is a sentence."""


def parse_column_map(texts: Iterable[str]) -> ColumnMap | None:
    """Parse texts such as `url=Profile,email=Mail`; None for no text.

    A pair whose title contains a comma is quoted. Raises `InvalidColumnMap`.
    """
    pairs = [_pair(part) for text in texts for part in _parts(text)]
    if not pairs:
        return None
    if not any(field in _EMAIL_FIELDS for field, _ in pairs):
        raise InvalidColumnMap("it names no column of addresses: add email=COLUMN")

    def titles(field: str) -> Titles:
        return tuple(title for named, title in pairs if named == field)

    return ColumnMap(
        name="csv",
        signatures=(frozenset(title for _, title in pairs),),
        profiles=titles("url"),
        emails=tuple(
            EmailColumn(title, _EMAIL_FIELDS[f]) for f, title in pairs if f in _EMAIL_FIELDS
        ),
        first_name=titles("first_name"),
        last_name=titles("last_name"),
        full_name=titles("name"),
        company=titles("company"),
        position=titles("position"),
        changed_at=titles("date"),
    )


def _parts(text: str) -> list[str]:
    try:
        return next(csv.reader([text]), [])
    except csv.Error:
        return [text]


def _pair(text: str) -> tuple[str, str]:
    field, equals, title = text.partition("=")
    if not equals or field.strip() not in FIELDS or not fold_title(title):
        raise InvalidColumnMap(f"each part is FIELD=COLUMN, with one of {', '.join(FIELDS)}")
    return field.strip(), fold_title(title)
