"""The tables of known programs: how each is recognised, and the meaning of its columns."""

from __future__ import annotations

from mcp_enrichment.service.sources.exports.column_map import (
    OTHER_EMAILS,
    PERSONAL,
    PROFILES,
    WORK,
    ColumnMap,
    EmailColumn,
    signatures,
)

_EMAILS = (
    *("email address", "emailaddress", "e-mail-adresse", "adresse e-mail", "adresse email"),
    *("dirección de correo electrónico", "correo electrónico", "indirizzo e-mail"),
    *("indirizzo email", "endereço de e-mail", "endereço de email", "e-mailadres"),
)
_FIRST_NAMES = ("first name", "firstname", "vorname", "prénom", "nombre", "nome", "voornaam")
_CONNECTED_ON = (
    *("connected on", "connectedon", "verbunden am", "date de connexion", "connecté le"),
    *("conectado el", "fecha de conexión", "collegato il", "data di collegamento"),
    *("conectado em", "conectou-se em", "connectie gemaakt op"),
)

LINKEDIN = ColumnMap(
    name="linkedin",
    signatures=signatures(
        *(
            {first, email, connected}
            for first in _FIRST_NAMES
            for email in _EMAILS
            for connected in _CONNECTED_ON
        )
    ),
    profiles=("url",),
    emails=tuple(map(EmailColumn, _EMAILS)),
    first_name=_FIRST_NAMES,
    last_name=(
        *("last name", "lastname", "nachname", "nom", "apellidos", "apellido", "cognome"),
        *("sobrenome", "apelido", "achternaam"),
    ),
    full_name=(),
    company=("company", "unternehmen", "entreprise", "empresa", "azienda", "bedrijf"),
    position=("position", "poste", "cargo", "posición", "puesto", "posizione", "functie"),
    connected_on=_CONNECTED_ON,
)
"""LinkedIn's Connections.csv, as downloaded, unpacked or saved by Excel. Older files have no URL,
and people delete columns, so three titles identify it in any language."""


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
"""Apollo's export of people, which has the profile of the company as well."""


_MOST = range(1, 31)
"""A file has as many of these columns as one contact needs."""

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
"""Google Contacts' CSV, current and before 2024."""


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
    # Its `Title` is the form of address.
    position=("job title", "position"),
)
"""Outlook's CSV of contacts, of the program or outlook.com, in English or German."""


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
"""HubSpot's export of contacts, by property names or labels."""


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
"""Salesforce's contacts and leads: exported with API names, or as a report with labels."""


FORMATS = (LINKEDIN, APOLLO, GOOGLE, OUTLOOK, HUBSPOT, SALESFORCE)
"""In the order in which they are tried: the most specific header first."""
