"""Titles of columns are recognised, and tell whose profile a column holds."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_enrichment.service.sources.exports.open_export import open_export
from mcp_enrichment.service.sources.exports.records import Contact
from tests.support.exports import rows

PROFILE = "https://www.linkedin.com/in/ada-example"
OWN = (
    *(
        "Primary LinkedIn",
        "LinkedIn Handle",
        "LinkedIn_URL__pc",
        "LinkedIn__pc",
        "LinkedIn Username",
    ),
    *("LinkedIn Link (verified)", "Candidate LinkedIn", "LinkedIn-Profil", "Perfil de LinkedIn"),
    *(
        "Clay LinkedIn URL",
        "LinkedIn URL (cleaned)",
        "Lead LinkedIn",
        "LINKEDIN  URL",
        "linkedin_id",
    ),
    *("Director LinkedIn", "Attendee LinkedIn", "Enriched LinkedIn URL", "LinkedInUrl__c"),
)
OTHERS = (
    *("Manager LinkedIn", "Account Owner LinkedIn URL", "Assistant LinkedIn", "Referrer LinkedIn"),
    *("Referral LinkedIn", "Referred By (LinkedIn)", "CEO LinkedIn", "Founder's LinkedIn"),
    *(
        "Lead Owner LinkedIn",
        "Recruiter_LinkedIn__c",
        "Company LinkedIn Url",
        "HiringManagerLinkedIn",
    ),
    *("Sales Rep LinkedIn", "Reports To LinkedIn", "Spouse LinkedIn", "LinkedIn Vorgesetzter"),
    *("Introduced by LinkedIn", "LinkedIn of boss", "Buddy's LinkedIn", "Created By LinkedIn"),
)


@pytest.mark.parametrize("title", OWN)
def test_any_column_with_linkedin_in_its_title_holds_the_rows_own_profile(
    written: Any, title: str
) -> None:
    assert profile_in(written, title) == PROFILE


@pytest.mark.parametrize("title", OTHERS)
def test_a_column_that_names_somebody_else_gives_nobody_a_profile(written: Any, title: str) -> None:
    assert profile_in(written, title) is None


@pytest.mark.parametrize("cell", ["yes", "n/a", "https://www.linkedin.com/company/acme", "-"])
def test_a_column_with_linkedin_in_its_title_may_hold_anything_else(
    written: Any, cell: str
) -> None:
    assert profile_in(written, "LinkedIn Clicks", cell) is None


def test_a_column_made_for_the_profile_comes_before_one_that_was_added(written: Any) -> None:
    header = "Record ID,Email,Old LinkedIn,LinkedIn URL\n"
    [row] = rows(written(f"{header}1,a@x.example,linkedin.com/in/old-example,{PROFILE}\n"))
    assert isinstance(row, Contact)
    assert row.profile == PROFILE


def profile_in(written: Any, title: str, cell: str = PROFILE) -> str | None:
    content = f"Record ID,First Name,Email,{title}\n1,Ada,ada@example.com,{cell}\n"
    row = next(iter(rows(written(content))))
    assert isinstance(row, Contact)
    return row.profile


HEADERS = [
    (
        "linkedin",
        "FirstName,LastName,EmailAddress,Company,Position,ConnectedOn,Tags",
        'Ada,Okafor,ada@x.example,Harbour,Owner,"3/5/15, 4:05 PM",',
    ),
    (
        "linkedin",
        "Prénom,Nom,URL,Adresse e-mail,Entreprise,Poste,Date de connexion",
        f"Ada,Okafor,{PROFILE},ada@x.example,Harbour,Owner,05 mars 2024",
    ),
    (
        "linkedin",
        "Nombre,Apellidos,URL,Dirección de correo electrónico,Empresa,Cargo,Conectado el",
        f"Ada,Okafor,{PROFILE},ada@x.example,Harbour,Owner,05 mar 2024",
    ),
    (
        "linkedin",
        "Nome,Sobrenome,URL,Endereço de e-mail,Empresa,Cargo,Conectado em",
        f"Ada,Okafor,{PROFILE},ada@x.example,Harbour,Owner,05 mar 2024",
    ),
    (
        "salesforce",
        "Lead Owner,First Name,Last Name,Title,Company / Account,Email,Phone",
        "Kim Lee,Ada,Okafor,Owner,Harbour,ada@x.example,",
    ),
    (
        "salesforce",
        "Lead Owner,First Name,Last Name,Title,Company / Account,Lead Source,Rating,Street,Email",
        "Kim Lee,Ada,Okafor,Owner,Harbour,Web,,,ada@x.example",
    ),
    (
        "salesforce",
        "Salutation,First Name,Last Name,Title,Company / Account,Email",
        "Ms,Ada,Okafor,Owner,Harbour,ada@x.example",
    ),
    (
        "salesforce",
        "Id,FirstName,LastName,Email,Title,Company,LinkedIn_URL__pc",
        f"003,Ada,Okafor,ada@x.example,Owner,Harbour,{PROFILE}",
    ),
]


@pytest.mark.parametrize(("name", "header", "row"), HEADERS)
def test_a_header_is_known_as_the_program_writes_it(
    written: Any, name: str, header: str, row: str
) -> None:
    with open_export(written(f"{header}\r\n{row}\r\n")) as export:
        assert export.name == name
        contact = next(export.rows)
    assert isinstance(contact, Contact)
    assert (contact.first_name, contact.last_name) == ("Ada", "Okafor")
    assert (contact.email, contact.company, contact.position) == (
        "ada@x.example",
        "Harbour",
        "Owner",
    )
    assert contact.profile == (PROFILE if PROFILE in row else None)
