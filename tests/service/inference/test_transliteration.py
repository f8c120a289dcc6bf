"""Names in any script are spelled in addresses as companies spell them."""

from __future__ import annotations

import pytest

from mcp_enrichment.service.sources.inference.names import Name, company_key, spell


def forms(first: str, last: str) -> set[tuple[str, str]]:
    spelled = spell(Name(first, last))
    assert spelled is not None
    return set(spelled.forms)


@pytest.mark.parametrize(
    ("first", "last", "form"),
    [
        ("Ada", "Okafor", ("ada", "okafor")),
        ("Dr. Ada B.", "Okafor, PhD", ("ada", "okafor")),
        ("Ada (she/her)", "Okafor 🚀", ("ada", "okafor")),
        ("Łukasz", "Żółkiewski", ("lukasz", "zolkiewski")),
        ("Chloé", "Lefe\u0300vre", ("chloe", "lefevre")),
        ("Jonas", "Weiß", ("jonas", "weiss")),
        ("Sinéad", "O'Brien", ("sinead", "obrien")),
        ("Wei", "Ma", ("wei", "ma")),
        ("Олена", "Шевчук", ("olena", "shevchuk")),
    ],
)
def test_a_name_of_one_spelling_has_that(first: str, last: str, form: tuple[str, str]) -> None:
    assert forms(first, last) == {form}


def test_umlauts_are_spelled_in_both_ways() -> None:
    assert forms("Jürgen", "Müller") == {("jurgen", "muller"), ("juergen", "mueller")}
    assert forms("Bjo\u0308rn", "Ångström") == {("bjorn", "angstrom"), ("bjoern", "aangstroem")}


def test_double_names_and_particles_are_spelled_in_each_way() -> None:
    given = {given for given, _ in forms("Jean-Paul", "Martin")}
    family = {family for _, family in forms("Ana", "de la Cruz Vega")}
    assert given == {"jean", "jeanpaul", "jean-paul"}
    assert family == {"delacruzvega", "de-la-cruz-vega", "cruzvega", "cruz", "vega"}


@pytest.mark.parametrize(
    ("first", "last"), [("Ada", ""), ("", "Okafor"), ("Ada", "O."), ("A.", "Okafor"), ("🚀", "★")]
)
def test_a_part_that_is_missing_or_an_initial_makes_a_name_useless(first: str, last: str) -> None:
    assert spell(Name(first, last)) is None


@pytest.mark.parametrize(
    "whole", ["伟 张", "さくら 田中", "민준 김", "ليلى الحداد", "נועה לוי", "प्रिया शर्मा", "Wei 张"]
)
def test_a_script_without_latin_letters_makes_a_name_useless(whole: str) -> None:
    assert spell(Name(*whole.split())) is None


@pytest.mark.parametrize(
    ("first", "last", "scripts"),
    [("Ada", "Okafor", []), ("Jürgen", "Weiß", []), ("Олена", "Шевчук", ["CYRILLIC"])],
)
def test_a_script_with_several_romanisations_is_reported(
    first: str, last: str, scripts: list[str]
) -> None:
    spelled = spell(Name(first, last))
    assert spelled is not None
    assert list(spelled.scripts) == scripts


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Lumen Harbour, Inc.", "LUMEN HARBOUR"),
        ("Fährmann Optik GmbH & Co. KG", "fährmann optik"),
        ("The Lumen Harbour", "Lumen-Harbour Ltd."),
        ("Molino Azul, S.A.", "Molino Azul"),
        ("晨光科技有限公司", "晨光科技有限公司 "),
    ],
)
def test_two_spellings_of_a_company_are_one(one: str, other: str) -> None:
    assert company_key(one) == company_key(other) != ""


def test_two_companies_are_two() -> None:
    assert company_key("Lumen") != company_key("Lumen Harbour")
    assert company_key("The Company") != company_key("Limited")
    assert company_key(" - ") == ""
